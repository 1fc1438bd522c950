#!/usr/bin/env bash
# What deb.sh runs on the booted machine: as an administrator would, step by step. The first thing that is not as it
# should be ends it.
set -Eeuo pipefail
trap 'echo "failed in line $LINENO: $BASH_COMMAND"; cat /root/doctor /root/complaint 2>/dev/null
    journalctl --unit sallyport --no-pager --lines 30' ERR
export DEBIAN_FRONTEND=noninteractive

configuration=/etc/sallyport/sallyport.properties
data=/var/lib/sallyport
socket=/run/sallyport/operator.sock
plugins=$(echo /usr/lib/*-linux-gnu)/sallyport/plugins

step() { echo "-- $*"; }
apt() { apt-get --quiet=2 --yes --option Dpkg::Options::=--force-confold "$@" >/dev/null; }
property() { systemctl show --property "$1" --value sallyport; }
mode() { stat --format='%a %U:%G' "$1"; }
worker() { # PATH [CURL-ARGUMENT...]: as the worker of the job in /root/job.env
    (
        # shellcheck source=/dev/null
        . /root/job.env
        curl --silent --show-error --fail --header "Authorization: Bearer $SALLYPORT_TOKEN" "${@:2}" "$SALLYPORT_URL$1"
    )
}
await() { # COMMAND...: until it succeeds; for what nothing but asking tells
    for _ in $(seq 600); do
        if "$@"; then
            return
        fi
        sleep 0.1
    done
    return 1
}
# Asks without a pause until `load_end`, and remembers who was refused: everybody on a connection of their own.
load_begin() {
    rm -f /root/load.*
    touch /root/load.goes_on
    for at in "http://127.0.0.1:50051/health" "--unix-socket $socket http://sallyport/health"; do
        while [[ -e /root/load.goes_on ]]; do
            # shellcheck disable=SC2086  # two words
            curl --silent --show-error --fail $at 2>>/root/load.refused && echo >>/root/load.answered
        done &
    done
}
load_end() { # those who were asked meanwhile were answered, and there were some
    rm /root/load.goes_on
    wait
    [[ $(wc -l </root/load.answered) -gt 10 ]] && [[ ! -s /root/load.refused ]]
}
all_plugins_run() {
    [[ $(sallyport plugin list --json | jq --raw-output '.plugins[] | select(.state == "running") | .name' | sort | xargs) \
        == "$1" ]]
}
shipped="credentials events jobs llm prompts"

step "Installing"
apt install /share/previous.deb
systemctl --quiet is-active sallyport
systemctl --quiet is-enabled sallyport

step "The daemon runs as its own user, in its sandbox"
process=/proc/$(property MainPID)/status
[[ $(awk '/^Uid:/ {print $2, $3, $4, $5}' "$process") == "$(id -u sallyport | sed 's/.*/& & & &/')" ]]
[[ $(awk '/^CapBnd:/ {print $2}' "$process") == 0000000000000000 ]]
[[ $(awk '/^NoNewPrivs:/ {print $2}' "$process") == 1 ]]
[[ $(awk '/^Seccomp:/ {print $2}' "$process") == 2 ]]
[[ $(getent passwd sallyport) == *:$data:*/nologin ]]

step "What it keeps is closed to others, and what it reads is not its own"
[[ $(mode $data) == "700 sallyport:sallyport" ]]
for file in sallyport.db operator.token credentials.key; do
    [[ $(mode $data/$file) == "600 sallyport:sallyport" ]]
done
[[ $(mode $configuration) == "644 root:root" ]]

step "The command line knows it by a socket that is its own, and open to its group"
[[ $(mode $socket) == "660 sallyport:sallyport" ]]
[[ $(cat $data/operator.socket) == "unix:$socket" ]]
sallyport status | grep --quiet "unix:$socket"

step "The doctor finds nothing wrong, and says what to do when something is"
sallyport doctor >/root/doctor
if grep --invert-match '^ok' /root/doctor; then false; fi
chmod o+w "$plugins"
if sallyport doctor >/root/doctor; then false; fi
grep --quiet "^FAILED.*run chmod .*$plugins" /root/doctor
chmod o-w "$plugins"
chmod o+r $data/operator.token
if sallyport doctor >/root/doctor; then false; fi
grep --quiet "^FAILED.*run chmod .*$data/operator.token" /root/doctor
chmod o-r $data/operator.token
sallyport doctor >/root/doctor

step "It works without a master key of the administrator's: one was made"
all_plugins_run "$shipped"
printf 'a value' | sallyport secret set demo >/dev/null
sallyport job create "Survive all of this" --grant demo=DEMO --env-file /root/job.env >/dev/null
worker /credentials | jq --exit-status '. == [{"env_var": "DEMO", "value": "a value"}]' >/dev/null
worker /event --json '{"event_type": "message", "data": {"role": "assistant", "content": "before"}}' >/dev/null
job=$(sallyport job list --json | jq --raw-output '[.. | .job_id? // empty][0]')

step "A plugin that is dropped in answers after a reload, and is gone after the next"
before=$(property MainPID)
install -m 644 /share/hello.so "$plugins/"
systemctl reload sallyport
worker /hello | jq --exit-status '.greeting' >/dev/null
rm "$plugins/hello.so"
systemctl reload sallyport
all_plugins_run "$shipped"
[[ $(property MainPID) == "$before" ]]

step "With plugins.watch it is noticed when it comes and when it goes"
cp $configuration /root/shipped.properties
echo "plugins.watch = true" >>$configuration
systemctl reload sallyport
greets() { worker /hello 2>/dev/null | jq --exit-status '.greeting' >/dev/null; }
greets_not() { ! greets; }
install -m 644 /share/hello.so "$plugins/.hello.so.new"
mv "$plugins/.hello.so.new" "$plugins/hello.so"
await greets
rm "$plugins/hello.so"
await greets_not
cp /share/hello.so "$plugins/"
await greets
rm "$plugins/hello.so"
await greets_not
cp /root/shipped.properties $configuration
systemctl reload sallyport
all_plugins_run "$shipped"
[[ $(property MainPID) == "$before" ]]

step "It is started again after a crash, and when it no longer answers"
runs_anew() { [[ $(property MainPID) != "$1" ]] && systemctl --quiet is-active sallyport; }
load_begin
kill -KILL "$before"
await runs_anew "$before"
load_end
mkdir -p /run/systemd/system/sallyport.service.d
printf '[Service]\nWatchdogSec=2s\n' >/run/systemd/system/sallyport.service.d/watchdog.conf
systemctl daemon-reload
systemctl restart sallyport
before=$(property MainPID)
kill -STOP "$before"
await runs_anew "$before"
rm -r /run/systemd/system/sallyport.service.d
systemctl daemon-reload

step "A restart refuses nobody, and a stop everybody"
load_begin
for _ in 1 2 3; do
    systemctl restart sallyport
done
load_end
[[ $(property NFileDescriptorStore) == 3 ]]
systemctl stop sallyport
[[ $(property NFileDescriptorStore) == 0 ]]
if curl --silent http://127.0.0.1:50051/health; then false; fi
if sallyport status 2>/root/complaint; then false; fi
grep --quiet "daemon" /root/complaint
systemctl start sallyport
sallyport status >/dev/null

step "An address that is not there yet is listened on, and reached when it is"
cp $configuration /root/shipped.properties
echo "worker.listen = 0.0.0.0:50051, unix:/run/sallyport/worker.sock" >>$configuration
echo "operator.listen = 127.0.0.1:50052, 192.0.2.1:50052" >>$configuration
systemctl restart sallyport
if curl --silent --max-time 1 http://192.0.2.1:50052/health; then false; fi
ip address add 192.0.2.1/32 dev lo
[[ $(curl --silent http://192.0.2.1:50052/health) == ok ]]
[[ $(curl --silent --unix-socket /run/sallyport/worker.sock http://sallyport/health) == ok ]]
ip address delete 192.0.2.1/32 dev lo
cp /root/shipped.properties $configuration
systemctl restart sallyport
[[ ! -e /run/sallyport/worker.sock ]]

step "It goes on trying to start, and waits longer each time"
mv /usr/sbin/sallyportd /root/
if systemctl restart sallyport; then false; fi
failures_are_three() { [[ $(wc -l </run/sallyport/failures) -ge 3 ]]; }
await failures_are_three
mv /root/sallyportd /usr/sbin/
await systemctl --quiet is-active sallyport
systemctl restart sallyport
[[ ! -e /run/sallyport/failures ]]

step "The master key as a systemd credential, plain and encrypted"
install -d -m 700 /etc/credstore /etc/credstore.encrypted
install -m 400 $data/credentials.key /etc/credstore/sallyport-master-key
rm $data/credentials.key
systemctl restart sallyport
worker /credentials | jq --exit-status '.[0].value == "a value"' >/dev/null
mkdir /etc/systemd/system/sallyport.service.d
printf '[Service]\nLoadCredentialEncrypted=sallyport-master-key\n' >/etc/systemd/system/sallyport.service.d/key.conf
systemd-creds encrypt --with-key=host --name=sallyport-master-key /etc/credstore/sallyport-master-key \
    /etc/credstore.encrypted/sallyport-master-key 2>/dev/null
rm /etc/credstore/sallyport-master-key
systemctl daemon-reload
systemctl restart sallyport
worker /credentials | jq --exit-status '.[0].value == "a value"' >/dev/null
[[ ! -e $data/credentials.key ]]

step "The log can be a file"
echo "log.file = /var/log/sallyport/sallyportd.log" >>$configuration
systemctl restart sallyport
[[ -s /var/log/sallyport/sallyportd.log ]]

step "The file is rotated, and no line is lost or goes to the old one"
log=/var/log/sallyport/sallyportd.log
lines=$(wc -l <$log)
logrotate --force /etc/logrotate.d/sallyport
[[ $(mode $log) == "600 sallyport:sallyport" ]]
await grep --quiet " reloaded" $log
[[ $(wc -l <$log.1) -ge $lines ]]
lines=$(wc -l <$log.1)
systemctl restart sallyport
grep --quiet " ready " $log
[[ $(wc -l <$log.1) == "$lines" ]]
logrotate --force /etc/logrotate.d/sallyport
[[ $(zcat $log.2.gz | wc -l) == "$lines" ]]

step "A backup while it runs, and back to that"
sallyport backup /root/backup.db >/dev/null
[[ $(mode /root/backup.db) == "600 root:root" ]]
sallyport job create "After the backup" >/dev/null
jobs=$(sallyport job list --all --json | jq '.jobs | length')
if sallyport restore /root/backup.db 2>/root/complaint; then false; fi
grep --quiet 'systemctl stop sallyport' /root/complaint
systemctl stop sallyport
sallyport restore /root/backup.db >/dev/null
[[ $(mode $data/sallyport.db) == "600 sallyport:sallyport" ]]
systemctl start sallyport
[[ $(sallyport job list --all --json | jq '.jobs | length') == $((jobs - 1)) ]]
[[ $(sallyport job show "$job" --json | jq --raw-output '.state') == running ]]
worker /credentials | jq --exit-status '.[0].value == "a value"' >/dev/null
sallyport audit verify >/dev/null
sallyport doctor >/root/doctor

step "A configuration that cannot be is not tried again and again"
cp $configuration /root/good.properties
echo "http.threads = many" >>$configuration
if systemctl restart sallyport 2>/dev/null; then false; fi
[[ $(property ActiveState) == failed && $(property ExecMainStatus) == 78 && $(property NRestarts) == 0 ]]
cp /root/good.properties $configuration
systemctl restart sallyport

step "Upgrading: the configuration, the data and the running job stay, and nobody is refused"
sallyport job prompt "$job" "asked before the upgrade" >/dev/null
before=$(property MainPID)
load_begin
apt install /share/current.deb
load_end
systemctl --quiet is-active sallyport
[[ $(property MainPID) != "$before" ]]
cmp $configuration /root/good.properties
[[ -e $configuration.dpkg-dist ]]
all_plugins_run "$shipped"
[[ $(sallyport job show "$job" --json | jq --raw-output '.state') == running ]]
worker /prompt | jq --exit-status '.content == "asked before the upgrade"' >/dev/null
worker /credentials | jq --exit-status '.[0].value == "a value"' >/dev/null
[[ $(sallyport job watch "$job" --no-follow) == *before* ]]
worker /complete --json '{"success": true, "message": "survived", "iterations": 1}' >/dev/null
sallyport audit verify >/dev/null

step "Removing: the daemon is gone, the configuration and the data stay"
apt remove sallyport
[[ ! -e /usr/sbin/sallyportd && ! -e /lib/systemd/system/sallyport.service ]]
if systemctl --quiet is-active sallyport; then false; fi
cmp $configuration /root/good.properties
[[ -s $data/sallyport.db ]]

step "Installing it again finds them"
apt install /share/current.deb
[[ $(sallyport job show "$job" --json | jq --raw-output '.state') == completed ]]
sallyport secret list --json | jq --exit-status '[.. | .name? // empty] == ["demo"]' >/dev/null

step "Purging: nothing is left that the administrator did not make"
rm -r /etc/systemd/system/sallyport.service.d /etc/credstore.encrypted
apt purge sallyport
left=$(find / -xdev -path /share -prune -o -name '*sallyport*' -print)
[[ -z "$left" ]] || {
    echo "left: $left"
    false
}
echo "-- All is well"
