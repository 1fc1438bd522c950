# Writes the page sallyport.properties(5) from the configuration file, which has every key with its default and what it
# means, so that there is one place to keep right.
#
#   awk -f properties.awk sallyport.properties.5.in ../../etc/sallyport.properties
#
# The first file is the page, with a line @KEYS@ where the keys go. In the second, a comment that stands right above a
# key explains it, `# --- Title ---` begins a section, and any other comment belongs to the section.

# Text for mdoc(7): escapes, and no line may begin like a request.
function plain(text) {
    gsub(/\\/, "\\e", text)
    gsub(/--/, "\\-\\-", text)
    sub(/^[.']/, "\\\\\\&&", text)
    return text
}

# An argument of a macro, which may look like another macro's name.
function argument(text) {
    gsub(/\\/, "\\e", text)
    gsub(/"/, "\\(dq", text)
    return "\"" text "\""
}

function close_list() {
    if (listing)
        print ".El"
    listing = 0
}

# A comment that explains no key: lines that are indented are shown as they are.
function write_comment(    i, literal) {
    for (i = 1; i <= lines; ++i) {
        if (comment[i] == "") {
            if (i < lines)
                print ".Pp"
            continue
        }
        if (comment[i] ~ /^  / && !literal) {
            print ".Bd -literal -offset indent"
            literal = 1
        } else if (comment[i] !~ /^  / && literal) {
            print ".Ed"
            literal = 0
        }
        print plain(literal ? substr(comment[i], 3) : comment[i])
    }
    if (literal)
        print ".Ed"
    lines = 0
}

function write_key(key, value,    i) {
    if (!listing)
        print ".Bl -tag -width Ds"
    listing = 1
    print ".It Va " key " No = " (value == "" ? "" : "Li " argument(value))
    for (i = 1; i <= lines; ++i)
        print plain(comment[i])
    lines = 0
}

FNR == NR {
    if ($0 == "@KEYS@")
        in_tail = 1
    else if (in_tail)
        tail = tail $0 "\n"
    else
        print
    next
}

/^# --- / {
    close_list()
    # What precedes the first section is about the file, and stands in the page itself.
    title = $0
    gsub(/^# -+ | -+$/, "", title)
    print ".Ss " title
    in_section = 1
    lines = 0
    next
}

/^#[a-z_]+(\.[a-z_]+)* =/ {
    key = substr($0, 2, index($0, " =") - 2)
    value = substr($0, index($0, " =") + 2)
    sub(/^ +/, "", value)
    write_key(key, value)
    next
}

/^#/ {
    sub(/^# ?/, "")
    if (in_section && !(lines == 0 && $0 == ""))
        comment[++lines] = $0
    next
}

/^$/ {
    if (lines > 0) {
        close_list()
        write_comment()
    }
}

END {
    close_list()
    printf "%s", tail
}
