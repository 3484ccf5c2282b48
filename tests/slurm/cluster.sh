#!/bin/sh
# Starts or stops a Slurm on this machine, as root and without systemd; everything of it is in one folder. It has two
# nodes, n1 and n2, and a partition `fragile` of three more, each with 16 CPUs and 2 GPUs that it does not have.
#
#     tests/slurm/cluster.sh start FOLDER    # then: export SLURM_CONF=FOLDER/slurm.conf
#     tests/slurm/cluster.sh stop FOLDER
set -eu

[ $# -eq 2 ] || { echo "usage: $0 start|stop FOLDER" >&2; exit 2; }
folder=$(realpath "$2")
export SLURM_CONF="$folder/slurm.conf"

# Waits up to 20 seconds for a command to succeed.
wait_for() {
    for _ in $(seq 100); do
        if "$@" >/dev/null 2>&1; then return; fi
        sleep 0.2
    done
    return 1
}

all_respond() {
    [ "$(sinfo --noheader --responding --Node --format=%t | grep -cx idle)" = 5 ]
}

no_jobs() {
    [ -z "$(squeue --noheader)" ]
}

# Processes of this cluster with such names; Slurm hands SLURM_CONF on to all that it starts.
processes() {
    grep -lsz "^SLURM_CONF=$SLURM_CONF\$" /proc/[0-9]*/environ | while read -r file; do
        number=${file#/proc/}
        # shellcheck disable=SC2254  # a pattern
        case $(cat "${file%environ}comm" 2>/dev/null) in $1) echo "${number%/environ}" ;; esac
    done
}

none_left() {
    [ -z "$(processes "$1")" ]
}

configure() {
    host=$(hostname -s)
    port=$((20000 + $$ % 2000 * 6))
    cat >"$SLURM_CONF" <<END
ClusterName=test
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$port
SlurmUser=root
SlurmdUser=root
AuthInfo=socket=$folder/munge.socket
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool-%n
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd-%n.pid
SlurmctldLogFile=$folder/slurmctld.log
SlurmdLogFile=$folder/slurmd-%n.log
TmpFS=$folder/tmp-%n
ProctrackType=proctrack/pgid
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=sched_interval=1,batch_sched_delay=0,bf_interval=1
MpiDefault=none
KillWait=60
SwitchType=switch/none
ReturnToService=2
SlurmdParameters=config_overrides
GresTypes=gpu
NodeName=DEFAULT CPUs=16 RealMemory=4000 Gres=gpu:2
PartitionName=test Nodes=n[1-2] Default=YES State=UP
PartitionName=fragile Nodes=n[3-5] State=UP
END
    for n in 1 2 3 4 5; do
        echo "NodeName=n$n NodeHostname=$host NodeAddr=127.0.0.1 Port=$((port + n))"
        mkdir -p "$folder/spool-n$n" "$folder/tmp-n$n"
    done >>"$SLURM_CONF"
    # Nothing here uses cgroups. Those of version 2, which Slurm would take where it finds them, need systemd.
    echo "CgroupPlugin=cgroup/v1" >"$folder/cgroup.conf"
    # Slurm wants character devices.
    for gpu in 0 1; do ln -sf /dev/null "$folder/gpu$gpu"; done
    echo "NodeName=n[1-5] Name=gpu File=$folder/gpu[0-1]" >"$folder/gres.conf"
}

start() {
    # The munge daemon trusts no folder that others may write to, and must be reached through this one.
    mkdir -p "$folder/state"
    chmod 755 "$folder"
    configure
    (umask 077 && head -c 128 /dev/urandom >"$folder/munge.key")
    munged --force --socket="$folder/munge.socket" --key-file="$folder/munge.key" --pid-file="$folder/munged.pid" \
        --log-file="$folder/munged.log" --seed-file="$folder/munge.seed"
    slurmctld -c
    for node in n1 n2 n3 n4 n5; do slurmd -N $node; done
    if ! wait_for all_respond; then
        tail -n 20 "$folder"/*.log >&2
        echo "Slurm does not start" >&2
        exit 1
    fi
}

stop() {
    if none_left '*d'; then return; fi
    scancel --full --signal=KILL --user=root || true
    if wait_for no_jobs; then wait_for none_left slurmstepd || true; fi
    # shellcheck disable=SC2046  # a list of numbers
    kill $(processes '*d')
    # shellcheck disable=SC2046
    wait_for none_left '*d' || kill -s KILL $(processes '*d')
}

"$1"
