"""Runs a federation whose members are in network namespaces of their own, each with a cable to the server.

`unshare --user --map-root-user --net --mount python -m tests.federated.namespaces FOLDER`: all that is set up
here goes with this process, and nobody needs to be root for it.
"""

import json
import subprocess
import sys
from pathlib import Path

from tests.federated.network import MEMBERS, Place

SERVER = "10.77.0.1"
CABLES = f"""
mount -t tmpfs none /run && mkdir /run/netns
ip link set lo up
ip link add bridge type bridge && ip addr add {SERVER}/24 dev bridge && ip link set bridge up
number=2
for member in {" ".join(MEMBERS)}; do
    ip netns add $member && ip -n $member link set lo up
    ip link add to_$number type veth peer name eth0 netns $member
    ip link set to_$number master bridge up
    # Members reach the server alone.
    bridge link set dev to_$number isolated on
    ip -n $member addr add 10.77.0.$number/24 dev eth0 && ip -n $member link set eth0 up
    number=$((number + 1))
done
"""
REACH = "import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), 3)"
ASK = """
import ssl, sys, urllib.request, urllib.error
trusted = ssl.create_default_context(cafile=sys.argv[2])
try:
    urllib.request.urlopen(urllib.request.Request(sys.argv[1], data=b""), context=trusted)
except urllib.error.HTTPError as answer:
    print(answer.code)
"""


def main(folder):
    subprocess.run(["bash", "-e", "-c", CABLES], check=True)
    inside = {name: ["ip", "netns", "exec", name] for name in MEMBERS}
    place = Place(folder, SERVER, inside)
    operators, members = [], []
    with place.at_once() as pool:

        def begin(event):
            if event["event"] == "link":
                url = f"https://{SERVER}:{place.link.port}/v1/control/start-run"
                ask = [*inside["bank_a"], sys.executable, "-c", ASK, url, place.link.authority]
                operators.append(
                    subprocess.run(ask, capture_output=True, text=True, check=True).stdout.strip()
                )
                members.extend(pool.submit(place.join, place.node(name)) for name in MEMBERS)

        seen = pool.submit(place.serve, on_event=begin).result(timeout=120)
        left = [member.result(timeout=60) for member in members]
    reach = [*inside["bank_a"], sys.executable, "-c", REACH, "10.77.0.3", "9094"]
    beside = subprocess.run(reach, capture_output=True, text=True, check=False).stderr.splitlines()[-1]
    told = {"seen": seen, "left": left, "operator": operators, "beside": beside}
    (folder / "told.json").write_text(json.dumps(told))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
