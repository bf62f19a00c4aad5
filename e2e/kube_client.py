#!/usr/bin/env python3
"""The client of e2e/kube: writes, lists and watches config maps while what is below the API is killed.

    kube_client.py WORK OBJECTS [SECONDS]

WORK holds token and certificates/apiserver.crt; progress gets one byte for each acknowledged write, written comes into
being after the last of them, and listed gets the number of config maps in the last list. The writes are spread over
SECONDS, else they come as fast as they can.
"""
import http.client
import json
import ssl
import sys
import threading
import time
import urllib.parse

NAMESPACES = [f"space-{number}" for number in range(5)]
WORKERS = 8
# A worker updates or deletes an object this many creations after its own.
LAG = 20
# Small runs have small pages, so that their lists are in pages too.
PAGE = max(1, min(500, int(sys.argv[2]) // 10))
SECONDS = float(sys.argv[3]) if len(sys.argv) > 3 else 0.0
STALLED = 180.0
ALL = "/api/v1/configmaps"


def objects_in(namespace):
    return f"/api/v1/namespaces/{namespace}/configmaps"


class Findings:
    """What was found wrong, by promise, and how often things happened."""

    def __init__(self):
        self.lock = threading.Lock()
        self.wrong = {}
        self.counts = {}

    def expect(self, true, promise, detail):
        if not true:
            with self.lock:
                self.wrong.setdefault(promise, []).append(detail)

    def count(self, what, by=1):
        with self.lock:
            self.counts[what] = self.counts.get(what, 0) + by

    def report(self, promise, words):
        wrong = self.wrong.get(promise, [])
        for detail in wrong[:10]:
            print(f"  {promise}: {detail}")
        print(f"FAILED  {words} ({len(wrong)} wrong)" if wrong else f"ok      {words}")


class Record:
    """What was acknowledged. Each object has one writer, so this is what every reader must find."""

    def __init__(self, progress):
        self.lock = threading.Lock()
        self.progress = progress
        self.objects = {}
        self.deleting = set()
        self.deleted = set()
        self.written = 0
        self.seen = 0

    def saw(self, version):
        """Any version seen anywhere is one that the store has reached, and must never fall behind again."""
        with self.lock:
            self.seen = max(self.seen, version)

    def floor(self):
        with self.lock:
            return self.seen

    def wrote(self, key, value):
        self.saw(value[0])
        with self.lock:
            self.objects[key] = value
            self._advance()

    def will_delete(self, key):
        with self.lock:
            self.deleting.add(key)

    def removed(self, key):
        with self.lock:
            del self.objects[key]
            self.deleted.add(key)
            self._advance()

    def _advance(self):
        self.written += 1
        self.progress.write(b".")

    def copy(self):
        with self.lock:
            return dict(self.objects), set(self.deleted)

    def is_deleting(self, key):
        with self.lock:
            return key in self.deleting


class Api:
    """One connection. Failed calls are repeated: every error but an answer about the object is the kills' doing."""

    def __init__(self, work, findings):
        self.findings = findings
        self.context = ssl.create_default_context(cafile=f"{work}/certificates/apiserver.crt")
        with open(f"{work}/token") as token:
            self.headers = {"Authorization": f"Bearer {token.read().strip()}", "Content-Type": "application/json"}
        self.connection = None

    def send(self, method, path, body=None):
        if self.connection is None:
            self.connection = http.client.HTTPSConnection("127.0.0.1", 6443, context=self.context, timeout=60)
        self.connection.request(method, path, body and json.dumps(body), self.headers)
        return self.connection.getresponse()

    def drop(self):
        if self.connection is not None:
            self.connection.close()
        self.connection = None

    def once(self, method, path, body=None):
        """The status and the answer; status 0 if there was none."""
        try:
            response = self.send(method, path, body)
            return response.status, json.loads(response.read())
        except (OSError, http.client.HTTPException, ValueError) as error:
            self.drop()
            return 0, {"message": str(error)}

    def call(self, method, path, body=None):
        """Repeats until the answer is definite: that, and whether an attempt before may have taken effect."""
        uncertain = False
        deadline = time.monotonic() + STALLED
        while True:
            status, answer = self.once(method, path, body)
            if 200 <= status < 500 and status not in (408, 429):
                return status, answer, uncertain
            uncertain = True
            self.findings.count("repeated calls")
            if time.monotonic() > deadline:
                raise TimeoutError(f"{method} {path}: {status} {answer.get('message')}")
            time.sleep(0.05)


def version_of(thing):
    return int(thing["metadata"]["resourceVersion"])


def key_of(thing):
    return thing["metadata"]["namespace"], thing["metadata"]["name"]


def value_of(thing):
    return version_of(thing), thing.get("data")


class Writer:
    def __init__(self, api, record, findings):
        self.api, self.record, self.findings = api, record, findings

    def run(self, numbers):
        begun = time.monotonic()
        for place, number in enumerate(numbers):
            time.sleep(max(0.0, begun + SECONDS * place / len(numbers) - time.monotonic()))
            self.create(number)
            if place >= LAG:
                self.change(numbers[place - LAG])
        for number in numbers[max(0, len(numbers) - LAG):]:
            self.change(number)

    def change(self, number):
        if number % 3 == 1:
            self.update(number)
        elif number % 3 == 2:
            self.delete(number)

    @staticmethod
    def key(number):
        return NAMESPACES[number % len(NAMESPACES)], f"object-{number:06}"

    @staticmethod
    def thing(key, text, version=None):
        metadata = {"namespace": key[0], "name": key[1]}
        if version is not None:
            metadata["resourceVersion"] = str(version)
        data = {"text": (f"{text} {key[1]} " * 64)[:1024]}
        return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}

    def create(self, number):
        key = self.key(number)
        self.write("POST", objects_in(key[0]), key, self.thing(key, "created"), 201)

    def update(self, number):
        key = self.key(number)
        old, _ = self.record.objects[key]
        self.write("PUT", f"{objects_in(key[0])}/{key[1]}", key, self.thing(key, "updated", old), 200)

    def write(self, method, path, key, thing, done):
        floor = self.record.floor()
        status, answer, uncertain = self.api.call(method, path, thing)
        if status == 409 and uncertain:
            # An attempt whose answer was lost took effect: no one else writes this object.
            self.findings.count("writes found done")
            status, answer, _ = self.api.call("GET", f"{objects_in(key[0])}/{key[1]}")
            done = 200
        if status != done:
            self.findings.expect(False, "writes", f"{method} {key}: {status} {answer.get('message')}")
            return
        value = value_of(answer)
        self.findings.expect(value[1] == thing["data"], "writes", f"{method} {key}: holds something else")
        self.findings.expect(value[0] > floor, "versions", f"{method} {key}: {value[0]} after {floor}")
        self.record.wrote(key, value)

    def delete(self, number):
        key = self.key(number)
        version, _ = self.record.objects[key]
        self.record.will_delete(key)
        body = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"resourceVersion": str(version)}}
        status, answer, uncertain = self.api.call("DELETE", f"{objects_in(key[0])}/{key[1]}", body)
        if status == 200 or (status == 404 and uncertain):
            self.record.removed(key)
        else:
            self.findings.expect(False, "writes", f"DELETE {key}: {status} {answer.get('message')}")


class Lister:
    """Lists in pages, again and again."""

    def __init__(self, api, record, findings):
        self.api, self.record, self.findings = api, record, findings

    def run(self, stop):
        while not stop.wait(0.1):
            self.check()

    def check(self):
        before, deleted = self.record.copy()
        _, found = self.list(ALL, PAGE)
        for key, (version, _) in before.items():
            if key not in found:
                self.findings.expect(self.record.is_deleting(key), "lists", f"{key} is missing")
            else:
                self.findings.expect(found[key][0] >= version, "lists", f"{key} is older than acknowledged")
        for key in deleted:
            self.findings.expect(key not in found, "lists", f"{key} was deleted")
        self.findings.count("lists")

    def list(self, path, page):
        """The version and the objects of a list that came to its end."""
        while True:
            listed = self.attempt(path, page)
            if listed is not None:
                return listed
            self.findings.count("expired lists")

    def attempt(self, path, page):
        """None if the list expired on its way."""
        floor = self.record.floor()
        version, found, token = None, {}, ""
        while True:
            query = urllib.parse.urlencode({"limit": page, "continue": token})
            status, answer, _ = self.api.call("GET", f"{path}?{query}")
            if status == 410:
                return None
            if status != 200:
                raise RuntimeError(f"list {path}: {status} {answer.get('message')}")
            this = version_of(answer)
            version = this if version is None else version
            self.findings.expect(this == version, "lists", f"a page at {this} of a list at {version}")
            self.take(answer["items"], version, found)
            token = answer["metadata"].get("continue", "")
            self.findings.count("pages")
            if not token:
                break
        self.findings.expect(version >= floor, "versions", f"list {path}: {version} after {floor}")
        self.record.saw(version)
        return version, found

    def take(self, items, version, found):
        for item in items:
            key = key_of(item)
            self.findings.expect(key not in found, "lists", f"{key} came twice")
            self.findings.expect(version_of(item) <= version, "lists", f"{key} is newer than its list at {version}")
            found[key] = value_of(item)


class Watcher:
    """Keeps a state as an informer does: lists, watches from there, and lists again when that is too old."""

    def __init__(self, path, api, record, findings):
        self.path, self.api, self.record, self.findings = path, api, record, findings
        self.lister = Lister(api, record, findings)
        self.lock = threading.Lock()
        self.version = None
        self.state = {}
        self.too_old = True

    def run(self, stop):
        while not stop.is_set():
            if self.too_old:
                self.list()
            try:
                self.watch()
            except (OSError, http.client.HTTPException, ValueError):
                self.findings.count("broken watches")
                time.sleep(0.05)
            self.api.drop()

    def list(self):
        version, found = self.lister.list(self.path, PAGE)
        with self.lock:
            self.findings.expect(self.version is None or version >= self.version, "versions",
                                 f"{self.path} listed at {version} after {self.version}")
            self.version, self.state, self.too_old = version, found, False
        self.findings.count("lists for watches")

    def watch(self):
        # A short time, so that resuming at a version is not left to the kills alone.
        query = {"watch": 1, "resourceVersion": self.version, "allowWatchBookmarks": "true", "timeoutSeconds": 15}
        response = self.api.send("GET", f"{self.path}?{urllib.parse.urlencode(query)}")
        self.findings.count("watches")
        if response.status != 200:
            self.too_old = response.status == 410
            raise http.client.HTTPException(str(response.status))
        while line := response.readline():
            event = json.loads(line)
            if event["type"] == "ERROR":
                self.too_old = event["object"].get("code") == 410
                self.findings.count("watches too old" if self.too_old else "broken watches")
                return
            with self.lock:
                self.take(event["type"], event["object"])

    def take(self, kind, thing):
        version = version_of(thing)
        if kind == "BOOKMARK":
            self.findings.count("bookmarks")
            self.findings.expect(version >= self.version, "versions", f"bookmark {version} after {self.version}")
        else:
            self.findings.count("events")
            self.findings.expect(version > self.version, "events", f"{kind} {version} after {self.version}")
            self.change(kind, key_of(thing), value_of(thing))
        self.version = version
        self.record.saw(version)

    def change(self, kind, key, value):
        known = key in self.state
        self.findings.expect(known != (kind == "ADDED"), "events", f"{kind} of {key}, known: {known}")
        if kind == "DELETED":
            self.state.pop(key, None)
        else:
            self.state[key] = value

    def holds(self, full):
        """Whether the state is the full list, as far as this watches it."""
        wanted = {key: value for key, value in full.items() if self.path in (ALL, objects_in(key[0]))}
        with self.lock:
            return self.state == wanted


class Run:
    def __init__(self, work, objects):
        self.work, self.objects = work, objects
        self.findings = Findings()
        self.record = Record(open(f"{work}/progress", "ab", buffering=0))
        self.stop = threading.Event()

    def api(self):
        return Api(self.work, self.findings)

    def start(self, name, function, *arguments):
        def guarded():
            try:
                function(*arguments)
            except Exception as error:  # a thread that ends early would hide what it did not check
                self.findings.expect(False, "threads", f"{name}: {error!r}")
        thread = threading.Thread(target=guarded, daemon=True)
        thread.start()
        return thread

    def write(self):
        for namespace in NAMESPACES:
            body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
            self.api().call("POST", "/api/v1/namespaces", body)
        watchers = [Watcher(path, self.api(), self.record, self.findings)
                    for path in (ALL, objects_in(NAMESPACES[0]), objects_in(NAMESPACES[1]))]
        for watcher in watchers:
            self.start(f"watch {watcher.path}", watcher.run, self.stop)
        stop_listing = threading.Event()
        lister = self.start("list", Lister(self.api(), self.record, self.findings).run, stop_listing)
        writers = [self.start(f"writer {first}", Writer(self.api(), self.record, self.findings).run,
                              range(first, self.objects, WORKERS)) for first in range(WORKERS)]
        for thread in writers:
            thread.join()
        stop_listing.set()
        lister.join()
        return watchers

    def run(self):
        begun = time.monotonic()
        watchers = self.write()
        took = time.monotonic() - begun
        open(f"{self.work}/written", "w").close()
        lister = Lister(self.api(), self.record, self.findings)
        _, full = lister.list(ALL, 0)
        _, paged = lister.list(ALL, PAGE)
        self.findings.expect(full == paged, "full", "a list in pages is not the full list")
        self.compare(full)
        self.settle(watchers, full)
        self.stop.set()
        self.report(took)
        with open(f"{self.work}/listed", "w") as listed:
            listed.write(f"{len(full)}\n")
        return not self.findings.wrong

    def compare(self, full):
        acknowledged, _ = self.record.copy()
        ours = {key: value for key, value in full.items() if key[0] in NAMESPACES}
        for key in acknowledged.keys() | ours.keys():
            self.findings.expect(acknowledged.get(key) == ours.get(key), "full", f"{key} is not as acknowledged")
        kept = sum(1 for number in range(self.objects) if number % 3 != 2)
        self.findings.expect(len(ours) == kept, "full", f"{len(ours)} objects, not {kept}")

    def settle(self, watchers, full):
        """The last events may still be on their way."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and not all(watcher.holds(full) for watcher in watchers):
            time.sleep(0.1)
        for watcher in watchers:
            self.findings.expect(watcher.holds(full), "watchers", f"{watcher.path} has another state than the list")

    def report(self, took):
        counts = dict(sorted(self.findings.counts.items()))
        print(f"{self.record.written} writes in {took:.0f} s; " + ", ".join(f"{n} {what}" for what, n in counts.items()))
        self.findings.report("threads", "writers, lister and watchers came to their end")
        self.findings.report("writes", "every write took effect as it was acknowledged")
        self.findings.report("full", "the full list is what was acknowledged")
        self.findings.report("watchers", "every watcher's state is the full list")
        self.findings.report("events", "every watcher got each event once, in order")
        self.findings.report("lists", "every list in pages is one state, with all that was acknowledged")
        self.findings.report("versions", "resourceVersion never goes back")


if __name__ == "__main__":
    sys.exit(0 if Run(sys.argv[1], int(sys.argv[2])).run() else 1)
