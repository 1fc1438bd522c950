# What fish offers: for each line of standard input, a command line to complete at its end, a line of words.
#
#   fish --no-config ask.fish COMPLETION-FILE
source $argv[1]

while read --local line
    set --local offered (complete --do-complete=$line | string replace --regex '\t.*' '')
    echo "$offered"
end
