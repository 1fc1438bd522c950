# What zsh offers: for each line of standard input, a command line to complete at its end, a line of words.
#
#   zsh -f ask.zsh COMPLETION-FILE EMPTY-DIRECTORY
#
# Completion needs a line editor, and that a terminal: a second zsh has both, and writes what would be shown to a pipe.
zmodload zsh/zpty
place=$2
mkfifo $place/offered
exec 3<>$place/offered

cat >$place/init.zsh <<INIT
fpath=($place \$fpath)
autoload -Uz compinit
compinit -u -D
compdef _sallyport sallyport
exec 3>$place/offered
zstyle ':completion:*' insert-tab false
unsetopt AUTO_LIST
# What is to be offered comes by here; the rest of its arguments say how.
compadd() {
    if (( \${@[(I)-[OAD]]} )); then
        builtin compadd "\$@"
        return
    fi
    local -a hits
    builtin compadd -A hits "\$@"
    (( \$#hits )) && print -nu3 -r -- "\$hits "
    builtin compadd "\$@"
}
comppostfuncs=(offered-all)
# Those who want to be called again have to say so.
offered-all() {
    print -u3
    comppostfuncs=(offered-all)
}
bindkey -e
bindkey '^I' complete-word
print -u3 ready
INIT
cp $1 $place/_sallyport

zpty editor zsh -f -i
zpty -w editor "source $place/init.zsh"
read -t 20 -r answer <&3 && [[ $answer == ready ]] || exit 1
while IFS= read -r line; do
    # The line is emptied first: Ctrl-U.
    zpty -w -n editor $'\C-u'"$line"$'\t'
    read -t 20 -r answer <&3 || exit 1
    print -r -- $answer
    # Nobody looks at the terminal, which would hold the editor up when it is full.
    while zpty -r -t editor answer; do :; done
done
zpty -d editor
