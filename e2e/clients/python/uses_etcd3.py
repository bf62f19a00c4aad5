"""The python library etcd3, over gRPC."""

import etcd3


def used(name):
    print(f"ok {name}", flush=True)


client = etcd3.client(host="127.0.0.1", port=2379)

client.put("/config/a", "1")
value, meta = client.get("/config/a")
assert value == b"1" and meta.version == 1
used("put and get")

client.put("/config/b", "2")
assert [value for value, _ in client.get_prefix("/config/")] == [b"1", b"2"]
assert [value for value, _ in client.get_prefix("/config/", sort_order="descend")] == [b"2", b"1"]
used("prefix in both orders")

assert client.replace("/config/a", "1", "one")
assert not client.replace("/config/a", "1", "uno")
succeeded, responses = client.transaction(
    compare=[client.transactions.value("/config/a") == "one", client.transactions.version("/config/b") > 0],
    success=[client.transactions.put("/config/c", "3"), client.transactions.get("/config/a")],
    failure=[client.transactions.delete("/config/a")],
)
assert succeeded and responses[1][0][0] == b"one"
used("transaction")

events, cancel = client.watch_prefix("/watched/")
client.put("/watched/k", "v")
client.delete("/watched/k")
put, delete = next(events), next(events)
assert put.value == b"v" and isinstance(delete, etcd3.events.DeleteEvent)
cancel()
used("watch")

lease = client.lease(600)
client.put("/leased", "v", lease=lease)
assert lease.granted_ttl == 600 and lease.keys == [b"/leased"]
assert next(iter(lease.refresh())).TTL == 600
lease.revoke()
assert client.get("/leased")[0] is None
used("lease")

other = etcd3.client(host="127.0.0.1", port=2379)
mine, theirs = client.lock("turn", ttl=20), other.lock("turn", ttl=20)
assert mine.acquire(timeout=20)
assert not theirs.acquire(timeout=1)
assert mine.release()
assert theirs.acquire(timeout=20) and theirs.is_acquired()
assert theirs.release()
used("lock")

status = client.status()
assert status.version.startswith("3.") and status.db_size > 0
members = list(client.members)
assert len(members) == 1 and members[0].name
assert list(client.list_alarms()) == []
client.compact(status.raft_index if status.raft_index < 2 else 2)
client.defragment()
used("status, members, alarms, compaction")
