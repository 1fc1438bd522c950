# Completion of sallyport(1) for fish.

# Ids of the newest jobs, as far as the daemon tells them within a second.
function __sallyport_jobs
    sallyport --timeout 1 --color never job list --limit 50 2>/dev/null | awk 'NR > 1 { print $1 }'
end

# Names of the secrets.
function __sallyport_secrets
    sallyport --timeout 1 --color never secret list 2>/dev/null | awk 'NR > 1 { print $1 }'
end

# The words of the command line that are neither options nor their values.
function __sallyport_words
    set -l valued --url --token-file --config --data-dir --color --timeout --file --title --user --project-dir --mode \
        --grant --env-file --failed --state --limit --since --role --provider --expires --job --secret --by --until --directory \
        -D --define
    set -l words (commandline --tokenize --cut-at-cursor --current-process)
    set -l value false
    for word in $words[2..]
        if $value
            set value false
        else if contains -- $word $valued
            set value true
        else if not string match --quiet -- '-*' $word
            echo $word
        end
    end
end

# Whether the command is NOUN, or `NOUN VERB` with one of the verbs.
function __sallyport_at
    set -l words (__sallyport_words)
    test "$words[1]" = "$argv[1]"; and begin
        test (count $argv) = 1; or contains -- "$words[2]" $argv[2..]
    end
end

# Whether so many words have been typed.
function __sallyport_typed
    test (count (__sallyport_words)) = $argv[1]
end

complete -c sallyport -f

complete -c sallyport -l url -x -d 'Address of the operator door'
complete -c sallyport -l token-file -r -F -d 'File with the operator token'
complete -c sallyport -l config -r -F -d "The daemon's configuration file"
complete -c sallyport -l data-dir -x -a '(__fish_complete_directories)' -d "The daemon's data directory"
complete -c sallyport -l json -d "Print the answer as JSON"
complete -c sallyport -l color -x -a 'auto always never' -d 'When to use colours'
complete -c sallyport -l timeout -x -d 'Seconds to wait for the daemon'
complete -c sallyport -n '__sallyport_typed 0' -l version -d 'Print the version'
complete -c sallyport -s h -l help -d Explain

complete -c sallyport -n '__sallyport_typed 0' -a 'audit backup doctor job plugin restore secret status token usage'
complete -c sallyport -n '__sallyport_at audit; and __sallyport_typed 1' -a 'list verify'
complete -c sallyport -n '__sallyport_at job; and __sallyport_typed 1' -a 'cancel create finish grant limits list prompt release restart show watch'
complete -c sallyport -n '__sallyport_at plugin; and __sallyport_typed 1' -a 'acknowledge list new reload verify'
complete -c sallyport -n '__sallyport_at secret; and __sallyport_typed 1' -a 'delete list rekey set show'
complete -c sallyport -n '__sallyport_at token; and __sallyport_typed 1' -a 'create list revoke'

complete -c sallyport -n '__sallyport_at job cancel finish grant limits prompt release restart show watch; and __sallyport_typed 2' -a '(__sallyport_jobs)'
complete -c sallyport -n '__sallyport_at job create' -l file -r -F -d 'Read the task from this file'
complete -c sallyport -n '__sallyport_at job create' -l title -x -d 'A name for people'
complete -c sallyport -n '__sallyport_at job create' -l user -x -d 'Owner of the job'
complete -c sallyport -n '__sallyport_at job create' -l project-dir -x -a '(__fish_complete_directories)' -d 'Directory of the project'
complete -c sallyport -n '__sallyport_at job create' -l mode -x -a 'worker claude_code acp' -d 'What runs in the sandbox'
complete -c sallyport -n '__sallyport_at job create' -l grant -x -d 'A secret for the worker, as SECRET=ENV_VAR'
complete -c sallyport -n '__sallyport_at job create' -l limit -x -d 'What the job may use up, as NAME=VALUE'
complete -c sallyport -n '__sallyport_at job finish' -l failed -x -d 'The job failed, and why'
complete -c sallyport -n '__sallyport_at job finish' -l success -d 'The job did what it was to do'
complete -c sallyport -n '__sallyport_at job create restart' -l env-file -r -F -d "Write the worker's address and token here"
complete -c sallyport -n '__sallyport_at job list' -l state -x -a 'pending running completed failed cancelled interrupted' -d 'Only in this state'
complete -c sallyport -n '__sallyport_at job list' -l user -x -d "Only this user's"
complete -c sallyport -n '__sallyport_at job list' -l limit -x -d 'At most so many'
complete -c sallyport -n '__sallyport_at job list' -l all -d 'All there are'
complete -c sallyport -n '__sallyport_at job watch' -l since -x -d 'Leave out events up to this number'
complete -c sallyport -n '__sallyport_at job watch' -l no-follow -d 'Show what there is, and stop'
complete -c sallyport -n '__sallyport_at job prompt' -l done -d 'This is the last prompt'
complete -c sallyport -n '__sallyport_at job grant' -l none -d 'Revoke all grants of the job'
complete -c sallyport -n '__sallyport_at secret delete set show; and __sallyport_typed 2' -a '(__sallyport_secrets)'
complete -c sallyport -n '__sallyport_at secret delete list set show' -l user -x -d 'Whose secret it is'
complete -c sallyport -n '__sallyport_at secret set' -l provider -x -d 'Whom it is for'
complete -c sallyport -n '__sallyport_at secret set' -l expires -x -d 'When it ends'
complete -c sallyport -n '__sallyport_at audit list' -l user -x -d "Only this user's secrets"
complete -c sallyport -n '__sallyport_at audit list' -l job -x -a '(__sallyport_jobs)' -d 'Only this job'
complete -c sallyport -n '__sallyport_at audit list' -l secret -x -a '(__sallyport_secrets)' -d 'Only secrets of this name'
complete -c sallyport -n '__sallyport_at audit list' -l limit -x -d 'At most so many'
complete -c sallyport -n '__sallyport_at audit list' -l all -d 'All there are'
complete -c sallyport -n '__sallyport_at backup; or __sallyport_at restore' -F
complete -c sallyport -n '__sallyport_at backup' -l force -d 'Replace the file if there is one'
complete -c sallyport -n '__sallyport_at restore' -l force -d 'Take a backup of a newer version'
complete -c sallyport -n '__sallyport_at doctor' -l offline -d 'Leave the model providers alone'
complete -c sallyport -n '__sallyport_at doctor' -s D -l define -x -d 'Override a key, as KEY=VALUE'
complete -c sallyport -n '__sallyport_at plugin list' -s v -l verbose -d 'Show the routes, too'
complete -c sallyport -n '__sallyport_at plugin new' -l directory -x -a '(__fish_complete_directories)' -d 'Where to write it'
complete -c sallyport -n '__sallyport_at plugin verify' -F
complete -c sallyport -n '__sallyport_at plugin verify' -l sums -d 'Print SHA-256 sums for plugins.trusted'
complete -c sallyport -n '__sallyport_at token create' -l user -x -d 'The user it acts for'
complete -c sallyport -n '__sallyport_at token create' -l role -x -a 'viewer user admin auditor runner' -d 'What it may do'
complete -c sallyport -n '__sallyport_at usage' -l by -x -a 'job user model day' -d 'What each line is about'
complete -c sallyport -n '__sallyport_at usage' -l job -x -a '(__sallyport_jobs)' -d 'Only this job'
complete -c sallyport -n '__sallyport_at usage' -l user -x -d "Only this user's jobs"
complete -c sallyport -n '__sallyport_at usage' -l since -x -d 'Only calls from this time on'
complete -c sallyport -n '__sallyport_at usage' -l until -x -d 'Only calls before this time'
complete -c sallyport -n '__sallyport_at usage' -l limit -x -d 'At most so many lines'
complete -c sallyport -n '__sallyport_at usage' -l all -d 'All there are'
