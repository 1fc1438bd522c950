#compdef sallyport
# Completion of sallyport(1) for zsh, installed as _sallyport.

# Ids of the newest jobs, as far as the daemon tells them within a second.
_sallyport_job() {
    local -a jobs
    jobs=(${(f)"$(sallyport --timeout 1 --color never job list --limit 50 2>/dev/null | awk 'NR > 1 { print $1 }')"})
    compadd -a jobs
}

# Names of the secrets.
_sallyport_secret() {
    local -a secrets
    secrets=(${(f)"$(sallyport --timeout 1 --color never secret list 2>/dev/null | awk 'NR > 1 { print $1 }')"})
    compadd -a secrets
}

_sallyport() {
    local word noun command
    local -a spec plain verbs
    integer i
    # What is neither an option nor its value.
    for ((i = 2; i < CURRENT; i++)); do
        word=$words[i]
        case $word in
            --url | --token-file | --config | --data-dir | --color | --timeout | --file | --title | --user | \
                --project-dir | --mode | --grant | --env-file | --failed | --state | --limit | --since | --role | --provider | \
                --expires | --job | --secret | --by | --until | --directory | -D | --define)
                ((i++))
                ;;
            -*) ;;
            *) plain+=($word) ;;
        esac
    done

    spec=(
        '--url[address of the operator door]:url:'
        '--token-file[file with the operator token]:file:_files'
        "--config[the daemon's configuration file]:file:_files"
        "--data-dir[the daemon's data directory]:directory:_directories"
        '--json[print the answer as JSON]'
        '--color[when to use colours]:when:(auto always never)'
        '--timeout[seconds to wait for the daemon]:seconds:'
        '(-h --help)'{-h,--help}'[explain]'
        '1:command:(audit backup doctor job plugin restore secret status token usage)'
    )
    ((${#plain})) || spec+=('--version[print the version]')

    noun=$plain[1] command=$noun
    case $noun in
        audit) verbs=(list verify) ;;
        job) verbs=(cancel create finish grant limits list prompt release restart show watch) ;;
        plugin) verbs=(acknowledge list new reload verify) ;;
        secret) verbs=(delete list rekey set show) ;;
        token) verbs=(create list revoke) ;;
    esac
    if ((${#verbs})); then
        spec+=("2:verb:($verbs)")
        command+=" $plain[2]"
    fi

    # Operands are counted from the noun on.
    case $command in
        'job create')
            spec+=('--file[read the task from this file]:file:_files'
                '--title[a name for people]:title:' '--user[owner of the job]:user:'
                '--project-dir[directory of the project]:directory:_directories'
                '--mode[what runs in the sandbox]:mode:(worker claude_code acp)'
                '*--grant[a secret for the worker]:SECRET=ENV_VAR:'
                '*--limit[what the job may use up]:NAME=VALUE:'
                "--env-file[write the worker's address and token here]:file:_files" '3:task:')
            ;;
        'job list')
            spec+=('--state[only in this state]:state:(pending running completed failed cancelled interrupted)'
                "--user[only this user's]:user:" '(--all)--limit[at most so many]:n:'
                '(--limit)--all[all there are]')
            ;;
        'job watch')
            spec+=('--since[leave out events up to this number]:n:'
                '--no-follow[show what there is, and stop]' '3:job:_sallyport_job')
            ;;
        'job prompt')
            spec+=('--done[this is the last prompt]' '3:job:_sallyport_job' '4:text:')
            ;;
        'job restart')
            spec+=("--env-file[write the worker's address and token here]:file:_files"
                '3:job:_sallyport_job')
            ;;
        'job show' | 'job cancel' | 'job release') spec+=('3:job:_sallyport_job') ;;
        'job finish')
            spec+=('--failed[the job failed, and why]:reason:'
                '--success[the job did what it was to do]' '3:job:_sallyport_job')
            ;;
        'job limits') spec+=('3:job:_sallyport_job' '*:NAME=VALUE:') ;;
        'job grant')
            spec+=('--none[revoke all grants of the job]' '3:job:_sallyport_job'
                '*:SECRET=ENV_VAR:')
            ;;
        'secret set')
            spec+=('--user[whose secret it is]:user:' '--provider[whom it is for]:text:'
                '--expires[when it ends]:time:' '3:name:_sallyport_secret')
            ;;
        'secret list') spec+=('--user[whose secrets]:user:') ;;
        'secret show' | 'secret delete')
            spec+=('--user[whose secret it is]:user:' '3:name:_sallyport_secret')
            ;;
        'audit list')
            spec+=("--user[only this user's secrets]:user:"
                '--job[only this job]:job:_sallyport_job'
                '--secret[only secrets of this name]:name:_sallyport_secret'
                '(--all)--limit[at most so many]:n:' '(--limit)--all[all there are]')
            ;;
        'plugin acknowledge') spec+=('3:name:') ;;
        'plugin list') spec+=('(-v --verbose)'{-v,--verbose}'[show the routes, too]') ;;
        'plugin new')
            spec+=('--directory[where to write it]:directory:_directories' '3:name:')
            ;;
        'plugin verify')
            spec+=('--sums[print SHA-256 sums for plugins.trusted]' '*:plugin:_files')
            ;;
        'token create')
            spec+=('--user[the user it acts for]:user:'
                '--role[what it may do]:role:(viewer user admin auditor runner)' '3:name:')
            ;;
        'token revoke') spec+=('3:id:') ;;
        usage)
            spec+=('--by[what each line is about]:what:(job user model day)'
                '--job[only this job]:job:_sallyport_job' "--user[only this user's jobs]:user:"
                '--since[only calls from this time on]:time:' '--until[only calls before this time]:time:'
                '(--all)--limit[at most so many lines]:n:' '(--limit)--all[all there are]')
            ;;
        doctor)
            spec+=('--offline[leave the model providers alone]'
                '*'{-D,--define}'[override a key]:KEY=VALUE:')
            ;;
        backup) spec+=('--force[replace the file if there is one]' '2:file:_files') ;;
        restore) spec+=('--force[take a backup of a newer version]' '2:file:_files') ;;
    esac
    _arguments $spec
}

_sallyport "$@"
