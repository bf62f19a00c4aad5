"""The python library etcd3gw, over the API in JSON."""

import threading
import time

from etcd3gw.client import Etcd3Client
from etcd3gw.exceptions import WatchTimedOut


def used(name):
    print(f"ok {name}", flush=True)


client = Etcd3Client(host="127.0.0.1", port=2379, api_path="/v3/")

client.put("a", "1")
assert client.get("a") == [b"1"]
assert client.create("b", "2") and not client.create("b", "3")
assert client.replace("a", "1", "one") and not client.replace("a", "1", "uno")
assert client.get_prefix("a")[0][0] == b"one"
assert client.delete("b")
used("keys")

lease = client.lease(ttl=600)
client.put("leased", "v", lease=lease)
assert lease.ttl() > 590 and lease.keys() == [b"leased"]
assert lease.refresh() == 600
lease.revoke()
assert client.get("leased") == []
used("lease")

with client.lock("turn", ttl=30) as lock:
    assert lock.is_acquired()
    assert not client.lock("turn", ttl=30).acquire()
used("lock")


def write():
    time.sleep(0.3)
    client.put("watched", "v")


writer = threading.Thread(target=write)
writer.start()
event = client.watch_once("watched", timeout=20)
assert event["kv"]["value"] == b"v"
writer.join()
try:
    client.watch_once("silent", timeout=1)
    raise AssertionError("nothing happened, so nothing can be told")
except WatchTimedOut:
    pass
used("watch")

assert client.status()["version"].startswith("3.")
assert len(client.members()) == 1
succeeded = client.transaction(
    {
        "compare": [{"key": "YQ==", "result": "EQUAL", "target": "VERSION", "version": 2}],
        "success": [{"request_put": {"key": "YQ==", "value": "dHdv"}}],
        "failure": [],
    }
)
assert succeeded["succeeded"] and client.get("a") == [b"two"]
used("status, members, transaction")
