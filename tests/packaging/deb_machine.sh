#!/usr/bin/env bash
# What deb.sh runs on the booted machine: as an administrator would, step by step. The first thing that is not as it
# should be ends it.
set -Eeuo pipefail
trap 'echo "failed in line $LINENO: $BASH_COMMAND"; journalctl --unit sallyport --no-pager --lines 30' ERR
export DEBIAN_FRONTEND=noninteractive

configuration=/etc/sallyport/sallyport.properties
data=/var/lib/sallyport
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

step "It is started again after a crash, and when it no longer answers"
await_restart() { # of process $1; nothing but asking tells
    for _ in $(seq 600); do
        if [[ $(property MainPID) != "$1" ]] && systemctl --quiet is-active sallyport; then
            return
        fi
        sleep 0.1
    done
    return 1
}
kill -KILL "$before"
await_restart "$before"
mkdir -p /run/systemd/system/sallyport.service.d
printf '[Service]\nWatchdogSec=2s\n' >/run/systemd/system/sallyport.service.d/watchdog.conf
systemctl daemon-reload
systemctl restart sallyport
before=$(property MainPID)
kill -STOP "$before"
await_restart "$before"
rm -r /run/systemd/system/sallyport.service.d
systemctl daemon-reload

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

step "A configuration that cannot be is not tried again and again"
cp $configuration /root/good.properties
echo "http.threads = many" >>$configuration
if systemctl restart sallyport 2>/dev/null; then false; fi
[[ $(property ActiveState) == failed && $(property ExecMainStatus) == 78 && $(property NRestarts) == 0 ]]
cp /root/good.properties $configuration
systemctl restart sallyport

step "Upgrading: the configuration, the data and the running job stay"
sallyport job prompt "$job" "asked before the upgrade" >/dev/null
before=$(property MainPID)
apt install /share/current.deb
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
