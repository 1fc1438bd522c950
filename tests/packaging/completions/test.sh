#!/usr/bin/env bash
# The completions of bash, zsh and fish offer what the command line knows, no less and no more. What it knows is taken
# from its own help, so that a new command or option without completion is found here.
#
#   test.sh SALLYPORT DIRECTORY-OF-packaging/completions
set -euo pipefail
sallyport=$(realpath "$1") completions=$(realpath "$2")
here=$(realpath "$(dirname "$0")")

for shell in zsh fish; do
    command -v "$shell" >/dev/null || {
        echo "skipped: there is no $shell"
        exit 77
    }
done

place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
mkdir "$place/bin" "$place/home" "$place/zsh" "$place/work" "$place/work/a-directory"
touch "$place/work/a-file"
job=3f2b8c1e-0000-4000-8000-000000000000
secret=a-secret

# What the completions ask for ids and names.
cat >"$place/bin/sallyport" <<SALLYPORT
#!/bin/sh
case "\$*" in
    *' job list'*) printf 'ID STATE\n$job running\n' ;;
    *' secret list'*) printf 'NAME USED\n$secret 1\n' ;;
esac
SALLYPORT
chmod +x "$place/bin/sallyport"

section() { # COMMAND HEADING: the lines of that part of its help
    # shellcheck disable=SC2086
    "$sallyport" $1 --help | awk -v heading="$2:" '$0 == heading { on = 1; next } !NF || /^[^ ]/ { on = 0 } on'
}
subcommands() { section "$1" Subcommands | awk '{ print $1 }'; }
# Each as `--name`, or `--name TYPE` if it has a value.
options() {
    section "$1" Options |
        sed -E 's/^ +([^ ]*,)?(--[a-z-]+)(,[^ ]*)?/\2/; s/ Excludes:( --[a-z-]+)+//; s/ {2,}.*//; s/ \.\.\.//'
}
# The type of the first operand, if it has one: FILE, JOB, NAME.
operand() { section "$1" Positionals | sed -nE '1s/^ +([a-z]+ )?([A-Z]+).*/\2/p'; }

# Questions and the answers that are right: `LINE<tab>HOW<tab>WORDS`. `exactly` these are offered, or these `among` others.
expect() { printf '%s\t%s\t%s\n' "$1" "$2" "$3" >>"$place/expected"; }
sorted() { tr -s ' \n' '\n' | sort -u | xargs; }

global=$(options '')
expect_value() { # LINE TYPE: what is offered for a value of that type
    case $2 in
        FILE) expect "$1" among a-file ;;
        DIR) expect "$1" among a-directory ;;
        JOB) expect "$1" exactly "$job" ;;
        NAME) [[ $1 != *secret* ]] || expect "$1" exactly "$secret" ;;
    esac
}
expect_command() { # COMMAND
    local own name type
    own=$(options "$1" | grep --invert-match --line-regexp -- --help || true)
    # The program's version is asked of nothing but the program.
    expect "sallyport $1 --" exactly "$(printf '%s\n' "$own" "$global" | awk '$1 != "--version" { print $1 }' | sorted)"
    while read -r name type; do
        [[ -n $type ]] || continue
        # After it and its value all is as it was, but for options that can be given once.
        expect "sallyport $1 $name doctor --" among \
            "$(awk -v not="$name" '$1 != not && $1 !~ /^--(all|limit)$/ { print $1 }' <<<"$own" | sorted)"
        expect_value "sallyport $1 $name " "$type"
    done <<<"$own"
    expect_value "sallyport $1 " "$(operand "$1")"
    expect_value "sallyport --json $1 " "$(operand "$1")"
}

expect "sallyport " exactly "$(subcommands '' | sorted)"
expect "sallyport --" exactly "$(awk '{ print $1 }' <<<"$global" | sorted)"
while read -r name type; do
    [[ -n $type ]] || continue
    expect "sallyport $name doctor " exactly "$(subcommands '' | sorted)"
    expect_value "sallyport $name " "$type"
done <<<"$global"
for noun in $(subcommands ''); do
    verbs=$(subcommands "$noun")
    [[ -n "$verbs" ]] || {
        expect_command "$noun"
        continue
    }
    expect "sallyport $noun " exactly "$(sorted <<<"$verbs")"
    expect "sallyport --url x $noun --data-dir doctor " exactly "$(sorted <<<"$verbs")"
    for verb in $verbs; do
        expect_command "$noun $verb"
    done
done
# What the values may be is in the help in words.
expect "sallyport --color " exactly "always auto never"
expect "sallyport job create --mode " exactly "acp claude_code worker"
expect "sallyport job list --state " exactly "cancelled completed failed interrupted pending running"
expect "sallyport token create --role " exactly "admin auditor runner user viewer"
expect "sallyport usage --by " exactly "day job model user"

ask() { # SHELL
    case $1 in
        bash) bash --norc "$here/ask.bash" "$completions/sallyport.bash" ;;
        fish) fish --no-config "$here/ask.fish" "$completions/sallyport.fish" ;;
        zsh) zsh -f "$here/ask.zsh" "$completions/sallyport.zsh" "$place/zsh" ;;
    esac
}
export PATH=$place/bin:$PATH HOME=$place/home TERM=dumb
cd "$place/work"
failures=0
for shell in bash zsh fish; do
    cut -f 1 "$place/expected" | ask "$shell" >"$place/offered"
    asked=$(wc -l <"$place/expected")
    [[ $(wc -l <"$place/offered") == "$asked" ]] || {
        echo "$shell answered $(wc -l <"$place/offered") of $asked questions"
        exit 1
    }
    while IFS=$'\t' read -r line how words <&3 && read -r offered <&4; do
        # Options are compared by their long names, directories without what tells them from files.
        offered=$(tr -s ' ' '\n' <<<"$offered" | grep --invert-match --extended-regexp '^-[^-]' | sed 's,/$,,' | sorted)
        if [[ $how == among ]]; then
            offered=$(comm -12 <(tr ' ' '\n' <<<"$words") <(tr ' ' '\n' <<<"$offered") | xargs)
        fi
        [[ "$offered" == "$words" ]] || {
            printf '%s: %s<Tab>\n  expected: %s\n  offered:  %s\n' "$shell" "$line" "$words" "$offered"
            failures=$((failures + 1))
        }
    done 3<"$place/expected" 4<"$place/offered"
    echo "$shell: $asked questions"
done
[[ $failures == 0 ]]
