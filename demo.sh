#!/bin/sh
# The whole line in simulation, by public commands alone: fly, find the bad flights, publish, train, measure.
# Usage: demo.sh [FOLDER]     Everything it makes lies in FOLDER (by default demo-out/<date and time>).
# FLIGHTS, BC_STEPS, DIFFUSION_STEPS and TRIALS make it smaller or larger.
set -eu
: "${FLIGHTS:=200}" "${BC_STEPS:=2000}" "${DIFFUSION_STEPS:=3000}" "${TRIALS:=100}"
out=${1:-demo-out/$(date +%Y%m%d-%H%M%S)}
mkdir -p "$out"
started=$(date +%s)

show() { # print a command as it runs, quoted so that it can be copied
    line=
    for word in "$@"; do
        case $word in
        *[!A-Za-z0-9_./:=@%+,-]*) line="$line \"$word\"" ;;
        *) line="$line $word" ;;
        esac
    done
    printf '\n$ demodeck%s\n' "$line" >&2
}

run() {
    show "$@"
    demodeck "$@"
}

# A Hub in a folder stands in for huggingface.co: no account, no network.
show hub serve --root "$out/hub" --port 0 --address-file "$out/hub.address"
demodeck hub serve --root "$out/hub" --port 0 --address-file "$out/hub.address" >"$out/hub.log" 2>&1 &
hub=$!
trap 'kill $hub 2>/dev/null && wait $hub || true' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
while [ ! -s "$out/hub.address" ]; do
    kill -0 $hub 2>/dev/null || { cat "$out/hub.log" >&2; exit 5; }
    sleep 0.1
done
HF_ENDPOINT=$(cat "$out/hub.address")
HF_HOME=$(cd "$out" && pwd)/huggingface
export HF_ENDPOINT HF_HOME
printf '$ export HF_ENDPOINT=%s HF_HOME=%s\n' "$HF_ENDPOINT" "$HF_HOME" >&2

# Flights in lock-step; one in eight is spoilt on purpose.
run record --robot.type=sim_so101 --robot.realtime=false --robot.width=64 --robot.height=64 \
    --teleop.type=scripted --teleop.flaw_rate=0.125 \
    --dataset.repo_id=demo/pick --dataset.no_stamp=true --dataset.root="$out/flown" \
    --dataset.num_episodes="$FLIGHTS" --dataset.fps=20 --dataset.push_to_hub=false
run score "$out/flown" --drop-faults
run edit drop "$out/flown" --where "verdict = 'drop' or not success" --output "$out/curated"
run publish "$out/curated" --repo-id demo/pick

# The trainer knows the published set alone.
run train --policy.type=bc --dataset.repo_id=demo/pick --steps="$BC_STEPS" --output_dir="$out/bc" --policy.repo_id=demo/pick_bc
run train --policy.type=action_diffusion --dataset.repo_id=demo/pick --steps="$DIFFUSION_STEPS" --output_dir="$out/diffusion" \
    --policy.repo_id=demo/pick_diffusion

# New positions, the same for every pilot.
run eval --policy.path=demo/pick_bc --robot.type=sim_so101 --episodes="$TRIALS" --output="$out/eval/bc.json"
run eval --policy.path=demo/pick_diffusion --robot.type=sim_so101 --episodes="$TRIALS" --output="$out/eval/diffusion.json"
run eval --teleop.type=scripted --robot.type=sim_so101 --episodes="$TRIALS" --fps=20 --output="$out/eval/scripted.json"
run eval --teleop.type=hold --robot.type=sim_so101 --episodes="$TRIALS" --fps=20 --output="$out/eval/nothing.json"
echo
run compare "$out/eval/bc.json" "$out/eval/diffusion.json" "$out/eval/scripted.json" "$out/eval/nothing.json"

cat <<EOF

flown      $out/flown
curated    $out/curated
published  demo/pick at $HF_ENDPOINT (folder $out/hub)
policies   $out/bc/checkpoints/last/pretrained_model
           $out/diffusion/checkpoints/last/pretrained_model
took       $(($(date +%s) - started)) s
EOF
