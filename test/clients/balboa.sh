#!/usr/bin/env bash
# balboa, a passive DNS database: observations go in by its feeder and come out
# by its query interface, before and after its RocksDB backend is killed.
. "$(dirname "$0")/lib.sh"
needs balboa balboa
needs balboa-rocksdb balboa-backend-rocksdb
needs curl curl
needs python3 python3

count=500
cat >"$root/feeders.yaml" <<END
feeder:
    - name: Socket Input
      type: socket
      path: $root/feed.sock
      input_format: suricata_dns
END
free_port() {
  python3 -c 'import socket
s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}
back=$(free_port)
front=$(free_port)

feed() {
  python3 - "$root/feed.sock" "$count" <<'END'
import json, socket, sys
feed = socket.socket(socket.AF_UNIX)
feed.connect(sys.argv[1])
for i in range(int(sys.argv[2])):
    answer = {"type": "answer", "rcode": "NOERROR", "rrname": f"n{i}.example",
              "rrtype": "A", "ttl": 8, "rdata": f"10.0.{i // 256}.{i % 256}"}
    event = {"timestamp": "2024-11-24T21:27:09.534255+0000", "flow_id": 1,
             "event_type": "dns", "src_ip": "10.1.0.1", "src_port": 53,
             "dest_ip": "10.1.0.2", "dest_port": 5555, "proto": "UDP",
             "host": "sensor", "dns": answer}
    feed.sendall((json.dumps(event) + "\n").encode())
END
}

# knows NUMBER: whether this observation is there.
knows() {
  curl -s -H 'Content-Type: application/json' "http://127.0.0.1:$front/query" -d \
    "{\"query\":\"{ entries(rrname: \\\"n$1.example\\\") { rdata count } }\"}" |
    grep -q "\"10.0.$(($1 / 256)).$(($1 % 256))\""
}
knows_all() {
  local i
  for ((i = 0; i < count; i += 7)); do knows "$i" || return; done
  knows $((count - 1))
}

begin() {
  start backend "$1" balboa-rocksdb -d "$root/db" -p "$back"
  backend=$child
  wait_for test -s "$root/db/CURRENT"
  sleep 0.5
  rm -f "$root/feed.sock"
  start frontend posix balboa serve -f "$root/feeders.yaml" -H "127.0.0.1:$back" \
    -p "$front" -l "$root/serve.log"
  frontend=$child
  wait_for test -S "$root/feed.sock"
}
end() { killed "$backend"; killed "$frontend"; }

begin uringfs
feed
wait_for knows_all
end
served "$root/db"
begin uringfs
wait_for knows_all
end
"$tool" recover "$root/db" >"$root/tool.log" 2>&1 || fail "recover"
begin posix
wait_for knows_all
end
echo "PASSED: $count observations"
