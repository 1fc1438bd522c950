#!/bin/sh
# A worker: what runs inside a sandbox. It knows two things, where its job is and the job's token:
#
#   SALLYPORT_URL    the job's own base URL, such as http://172.17.0.1:50051/worker/<job id>
#   SALLYPORT_TOKEN  the token that `sallyport job create` printed
#
# It asks what to do, puts the credentials it was granted into its environment, counts words, asks a model, tells
# what it does, takes one follow-up prompt, and reports that it is done. It needs curl and jq, and no key: the
# models are reached through the job's token too.
set -eu
: "${SALLYPORT_URL:?is not set}" "${SALLYPORT_TOKEN:?is not set}"

# The token goes in by a file descriptor: arguments can be read by every process of the machine.
call() { # METHOD PATH [JSON]
    method=$1 path=$2
    shift 2
    if [ $# -gt 0 ]; then
        set -- --header 'Content-Type: application/json' --data "$1"
    fi
    curl --silent --show-error --fail --request "$method" --config - "$@" "$SALLYPORT_URL$path" <<END
header = "Authorization: Bearer $SALLYPORT_TOKEN"
END
}

event() { # TYPE DATA
    call POST /event "$(jq --null-input --arg type "$1" --argjson data "$2" '{event_type: $type, data: $data}')"
}

say() { # TEXT
    event message "$(jq --null-input --arg text "$1" '{role: "assistant", content: $text}')"
}

task=$(call GET /job | jq --raw-output .description)
call POST /status '{"state": "in_progress", "message": "reading the task", "iteration": 1}'
say "My task: $task"

# All that was granted to the job, each in the environment variable that the operator named; nothing if nothing
# was. Never tell anybody the values: what is posted is kept.
credentials=$(call GET /credentials)
if [ -n "$credentials" ]; then
    eval "$(printf '%s' "$credentials" | jq --raw-output '.[] | "export \(.env_var)=\(.value | @sh)"')"
    say "I was given: $(printf '%s' "$credentials" |
        jq --raw-output 'map("\(.env_var) (\(.value | length) characters)") | join(", ")')"
fi
unset credentials

event tool_use "$(jq --null-input --arg text "$task" '{tool_name: "count_words", input: {text: $text}}')"
words=$(printf '%s' "$task" | wc -w)
event tool_result "$(jq --null-input --arg words "$words" '{tool_name: "count_words", output: $words}')"


question=$(jq --null-input --arg text "The task has $words words. Say so in one sentence." \
    '{messages: [{role: "user", content: $text}], max_tokens: 200}')
say "The model says: $(call POST /llm/complete "$question" | jq --raw-output .content)"

say "What shall I do with that?"
call POST /status '{"state": "waiting", "message": "waiting for a prompt", "iteration": 2}'

# Each request waits on the server until a prompt is there; 204 and no body means: ask again.
prompt=
while [ -z "$prompt" ]; do
    prompt=$(call GET '/prompt?wait=30')
done
say "You said: $(printf '%s' "$prompt" | jq --raw-output .content)"

event result '{"status": "completed"}'
call POST /complete '{"success": true, "message": "counted the words of the task", "iterations": 2}' >/dev/null
