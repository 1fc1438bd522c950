# Completion of sallyport(1) for bash.

# Ids of the newest jobs, as far as the daemon tells them within a second.
_sallyport_jobs() {
    sallyport --timeout 1 --color never job list --limit 50 2>/dev/null | awk 'NR > 1 { print $1 }'
}

# Names of the secrets.
_sallyport_secrets() {
    sallyport --timeout 1 --color never secret list 2>/dev/null | awk 'NR > 1 { print $1 }'
}

_sallyport() {
    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
    local noun='' verb='' word i operands=0
    COMPREPLY=()

    for ((i = 1; i < COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        case $word in
            --url | --token-file | --config | --data-dir | --color | --timeout | --file | --title | --user | \
                --project-dir | --mode | --grant | --env-file | --failed | --state | --limit | --since | --role | --provider | --expires | --job | --secret | \
                --by | --until | --directory | -D | --define)
                ((i++))
                ;;
            -*) ;;
            *)
                if [[ -z $noun ]]; then
                    noun=$word
                elif [[ -z $verb ]]; then
                    verb=$word
                else
                    ((operands++))
                fi
                ;;
        esac
    done

    case $previous in
        --token-file | --config | --file | --env-file)
            mapfile -t COMPREPLY < <(compgen -f -- "$current")
            compopt -o filenames
            return
            ;;
        --data-dir | --project-dir | --directory)
            mapfile -t COMPREPLY < <(compgen -d -- "$current")
            compopt -o filenames
            return
            ;;
        --color) mapfile -t COMPREPLY < <(compgen -W 'auto always never' -- "$current") && return ;;
        --job)
            mapfile -t COMPREPLY < <(compgen -W "$(_sallyport_jobs)" -- "$current")
            return
            ;;
        --secret)
            mapfile -t COMPREPLY < <(compgen -W "$(_sallyport_secrets)" -- "$current")
            return
            ;;
        --by) mapfile -t COMPREPLY < <(compgen -W 'job user model day' -- "$current") && return ;;
        --mode) mapfile -t COMPREPLY < <(compgen -W 'worker claude_code acp' -- "$current") && return ;;
        --role) mapfile -t COMPREPLY < <(compgen -W 'viewer user admin auditor runner' -- "$current") && return ;;
        --state)
            mapfile -t COMPREPLY < <(compgen -W \
                'pending running completed failed cancelled interrupted' -- "$current")
            return
            ;;
        --url | --timeout | --title | --user | --grant | --failed | --limit | --since | --until | --provider | --expires | -D | --define) return ;;
    esac

    local words=''
    if [[ $current == -* ]]; then
        words='--url --token-file --config --data-dir --json --color --timeout --help'
        case "$noun $verb" in
            ' ') words+=' --version' ;;
            'job create') words+=' --file --title --user --project-dir --mode --grant --limit --env-file' ;;
            'job finish') words+=' --failed --success' ;;
            'job list') words+=' --state --user --limit --all' ;;
            'job restart') words+=' --env-file' ;;
            'job watch') words+=' --since --no-follow' ;;
            'job prompt') words+=' --done' ;;
            'job grant') words+=' --none' ;;
            'secret set') words+=' --user --provider --expires' ;;
            'secret list' | 'secret show' | 'secret delete') words+=' --user' ;;
            'audit list') words+=' --user --job --secret --limit --all' ;;
            'plugin list') words+=' --verbose' ;;
            'plugin new') words+=' --directory' ;;
            'plugin verify') words+=' --sums' ;;
            'token create') words+=' --user --role' ;;
            'doctor ') words+=' --offline --define' ;;
            'backup ' | 'restore ') words+=' --force' ;;
            'usage ') words+=' --by --job --user --since --until --limit --all' ;;
        esac
    else
        case "$noun $verb" in
            ' ') words='audit backup doctor job plugin restore secret status token usage' ;;
            'backup ' | 'restore ')
                mapfile -t COMPREPLY < <(compgen -f -- "$current")
                compopt -o filenames
                return
                ;;
            'job ') words='cancel create finish grant limits list prompt release restart show watch' ;;
            'audit ') words='list verify' ;;
            'plugin ') words='acknowledge list new reload verify' ;;
            'secret ') words='delete list rekey set show' ;;
            'token ') words='create list revoke' ;;
            'job cancel' | 'job finish' | 'job grant' | 'job limits' | 'job prompt' | 'job release' | 'job restart' | 'job show' | 'job watch')
                ((operands == 0)) && words=$(_sallyport_jobs)
                ;;
            'plugin verify')
                mapfile -t COMPREPLY < <(compgen -f -- "$current")
                compopt -o filenames
                return
                ;;
            'secret delete' | 'secret set' | 'secret show')
                ((operands == 0)) && words=$(_sallyport_secrets)
                ;;
        esac
    fi
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}

complete -F _sallyport sallyport
