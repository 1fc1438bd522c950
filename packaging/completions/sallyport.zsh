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
    local curcontext=$curcontext state line
    local -a global
    global=(
        '--url[address of the operator door]:url:'
        '--token-file[file with the operator token]:file:_files'
        "--config[the daemon's configuration file]:file:_files"
        "--data-dir[the daemon's data directory]:directory:_directories"
        '--json[print the answer as JSON]'
        '--color[when to use colours]:when:(auto always never)'
        '--timeout[seconds to wait for the daemon]:seconds:'
        '(-h --help)'{-h,--help}'[explain]'
    )

    # The nouns with options and no verb.
    if ((CURRENT > 2)) && [[ $words[2] == (backup|doctor|restore) ]]; then
        local noun=$words[2]
        shift words
        ((CURRENT--))
        case $noun in
            backup) _arguments $global '--force[replace the file if there is one]' '1:file:_files' ;;
            restore) _arguments $global '--force[take a backup of a newer version]' '1:file:_files' ;;
            doctor)
                _arguments $global '--offline[leave the model providers alone]' \
                    '*'{-D,--define}'[override a key]:KEY=VALUE:'
                ;;
        esac
        return
    fi
    if [[ $words[2] == usage ]] && ((CURRENT > 2)); then
        shift words
        ((CURRENT--))
        _arguments $global '--by[what each line is about]:what:(job user model day)' \
            '--job[only this job]:job:_sallyport_job' "--user[only this user's jobs]:user:" \
            '--since[only calls from this time on]:time:' '--until[only calls before this time]:time:' \
            '(--all)--limit[at most so many lines]:n:' '(--limit)--all[all there are]'
        return
    fi

    _arguments -C $global '--version[print the version]' \
        '1:noun:(audit backup doctor job plugin restore secret status token usage)' '2:verb:->verb' '*::argument:->argument'
    case $state in
        verb)
            case $line[1] in
                audit) compadd list verify ;;
                job) compadd cancel create grant list prompt restart show watch ;;
                plugin) compadd list new reload verify ;;
                secret) compadd delete list rekey set show ;;
                token) compadd create list revoke ;;
            esac
            ;;
        argument)
            case "$line[1] $line[2]" in
                'job create')
                    _arguments $global '--file[read the task from this file]:file:_files' \
                        '--title[a name for people]:title:' '--user[owner of the job]:user:' \
                        '--project-dir[directory of the project]:directory:_directories' \
                        '--mode[what runs in the sandbox]:mode:(worker claude_code)' \
                        '*--grant[a secret for the worker]:SECRET=ENV_VAR:' \
                        "--env-file[write the worker's address and token here]:file:_files" '1:task:'
                    ;;
                'job list')
                    _arguments $global \
                        '--state[only in this state]:state:(pending running completed failed cancelled interrupted)' \
                        "--user[only this user's]:user:" '(--all)--limit[at most so many]:n:' \
                        '(--limit)--all[all there are]'
                    ;;
                'job watch')
                    _arguments $global '--since[leave out events up to this number]:n:' \
                        '--no-follow[show what there is, and stop]' '1:job:_sallyport_job'
                    ;;
                'job prompt')
                    _arguments $global '--done[this is the last prompt]' '1:job:_sallyport_job' '2:text:'
                    ;;
                'job restart')
                    _arguments $global "--env-file[write the worker's address and token here]:file:_files" \
                        '1:job:_sallyport_job'
                    ;;
                'job show' | 'job cancel') _arguments $global '1:job:_sallyport_job' ;;
                'job grant')
                    _arguments $global '--none[revoke all grants of the job]' '1:job:_sallyport_job' \
                        '*:SECRET=ENV_VAR:'
                    ;;
                'secret set')
                    _arguments $global '--user[whose secret it is]:user:' '--provider[whom it is for]:text:' \
                        '--expires[when it ends]:time:' '1:name:_sallyport_secret'
                    ;;
                'secret list') _arguments $global '--user[whose secrets]:user:' ;;
                'secret show' | 'secret delete')
                    _arguments $global '--user[whose secret it is]:user:' '1:name:_sallyport_secret'
                    ;;
                'audit list')
                    _arguments $global "--user[only this user's secrets]:user:" \
                        '--job[only this job]:job:_sallyport_job' \
                        '--secret[only secrets of this name]:name:_sallyport_secret' \
                        '(--all)--limit[at most so many]:n:' '(--limit)--all[all there are]'
                    ;;
                'plugin list') _arguments $global '(-v --verbose)'{-v,--verbose}'[show the routes, too]' ;;
                'plugin new')
                    _arguments $global '--directory[where to write it]:directory:_directories' '1:name:'
                    ;;
                'plugin verify')
                    _arguments $global '--sums[print SHA-256 sums for plugins.trusted]' '*:plugin:_files'
                    ;;
                'token create')
                    _arguments $global '--user[the user it acts for]:user:' \
                        '--role[what it may do]:role:(viewer user admin)' '1:name:'
                    ;;
                'token revoke') _arguments $global '1:id:' ;;
                *) _arguments $global ;;
            esac
            ;;
    esac
}

_sallyport "$@"
