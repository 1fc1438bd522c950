# What bash offers: for each line of standard input, a command line to complete at its end, a line of words.
#
#   bash ask.bash COMPLETION-FILE
# shellcheck source=/dev/null
source "$1"
# It is for readline, which does not run here.
compopt() { :; }

while IFS= read -r line; do
    read -ra COMP_WORDS <<<"$line"
    [[ $line != *' ' ]] || COMP_WORDS+=('')
    COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
    COMPREPLY=()
    _sallyport
    echo "${COMPREPLY[*]}"
done
