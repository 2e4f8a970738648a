"""A hub on localhost that speaks what the real huggingface_hub client asks: repositories, uploads, downloads.

Two ways lead the large files in: git LFS (HF_HUB_DISABLE_XET) and Xet, whose store takes what the client sends and
keeps only that it was sent. `fail` makes it break on purpose.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

TOKEN = "hf_SECRETsecretSECRETsecret0123456789"
LARGE = (".safetensors", ".gguf", ".bin")


@dataclass
class Repo:
    name: str
    private: bool
    files: dict[str, bytes] = field(default_factory=dict)
    commits: list[str] = field(default_factory=lambda: ["0" * 40])
    """Messages stand in `messages`; the newest id is the last."""
    messages: list[str] = field(default_factory=list)
    card: dict[str, Any] = field(default_factory=dict)

    @property
    def sha(self) -> str:
        return self.commits[-1]


@dataclass
class Failure:
    method: str
    path: str
    status: int
    times: int
    body: str = ""
    code: str = ""


@dataclass
class Hub:
    """What the server has, and every request that it saw."""

    url: str = ""
    user: str = "somi"
    token: str = TOKEN
    repos: dict[str, Repo] = field(default_factory=dict)
    objects: dict[str, bytes] = field(default_factory=dict)
    """LFS objects by sha256."""
    failures: list[Failure] = field(default_factory=list)
    requests: list[tuple[str, str]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    xorbs: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def fail(self, method: str, path: str, status: int, times: int = 1, body: str = "", code: str = "") -> None:
        """Answer the next `times` requests to a path (regular expression) with `status`."""
        self.failures.append(Failure(method, path, status, times, body, code))

    def add(
        self, name: str, files: dict[str, bytes], private: bool = False, card: dict[str, Any] | None = None
    ) -> Repo:
        repo = Repo(name, private, dict(files), card=card or {})
        repo.commits.append(hashlib.sha1(name.encode()).hexdigest())
        self.repos[name] = repo
        return repo

    def seen(self, method: str, path: str) -> list[str]:
        return [found for verb, found in self.requests if verb == method and re.search(path, found)]


def git_blob(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def stored_oid(content: bytes) -> str:
    """sha256 of a large file, also of one whose content went to the Xet store."""
    return content[4:].decode() if content.startswith(b"xet:") else hashlib.sha256(content).hexdigest()


class Speaker(BaseHTTPRequestHandler):
    """One connection; the hub itself is `self.server.hub`."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # headers and body are two packets; the second waited 40 ms for the first

    def log_message(self, *_: Any) -> None:
        pass

    @property
    def hub(self) -> Hub:
        hub: Hub = self.server.hub  # type: ignore[attr-defined]
        return hub

    # -- the way in -----------------------------------------------------------------------------
    def _handle(self) -> None:
        body = self._read()
        path = unquote(urlsplit(self.path).path)
        with self.hub.lock:
            self.hub.requests.append((self.command, path))
            self.hub.bodies.append(body)
            failure = next(
                (f for f in self.hub.failures if f.times and f.method == self.command and re.search(f.path, path)), None
            )
            if failure:
                failure.times -= 1
        if failure:
            headers = {"X-Error-Message": failure.body, "X-Error-Code": failure.code}
            self._send(failure.status, {"error": failure.body or "broken on purpose"}, headers)
            return
        for method, pattern, answer in ROUTES:
            match = re.fullmatch(pattern, path)
            if match and method in (self.command, "*"):
                answer(self, body, **match.groupdict())
                return
        self._send(404, {"error": f"no route for {self.command} {path}"})

    do_GET = do_POST = do_PUT = do_HEAD = _handle

    def _read(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            parts = []
            while size := int(self.rfile.readline().strip() or b"0", 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _send(self, status: int, value: Any, headers: dict[str, str] | None = None) -> None:
        content = value if isinstance(value, bytes) else json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/octet-stream" if isinstance(value, bytes) else "application/json")
        self.send_header("Content-Length", str(len(content)))
        for name, text in (headers or {}).items():
            if text:
                self.send_header(name, text)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    @property
    def _known(self) -> bool:
        return self.headers.get("Authorization") == f"Bearer {self.hub.token}"

    def _allowed(self, name: str, write: bool = False) -> Repo | None:
        """The repository, or None after the answer that the real hub gives."""
        if self.headers.get("Authorization") and not self._known:
            self._send(
                401, {"error": "Invalid credentials"}, {"X-Error-Message": "Invalid credentials in Authorization"}
            )
            return None
        repo = self.hub.repos.get(name)
        if repo is None or (repo.private and not self._known):
            self._send(404 if self._known else 401, {"error": "Repository not found"}, {"X-Error-Code": "RepoNotFound"})
            return None
        if write and not self._known:
            self._send(401, {"error": "Unauthorized"})
            return None
        if write and not name.startswith(f"{self.hub.user}/"):
            self._send(403, {"error": "Forbidden: you must use a write token"})
            return None
        return repo

    # -- people and repositories ----------------------------------------------------------------
    def whoami(self, body: bytes) -> None:
        if self._known:
            self._send(200, {"type": "user", "name": self.hub.user, "orgs": []})
        else:
            self._send(401, {"error": "Invalid credentials"})

    def create(self, body: bytes) -> None:
        asked = json.loads(body)
        owner = asked.get("organization") or self.hub.user
        name = f"{owner}/{asked['name']}"
        if not self._known:
            self._send(401, {"error": "Invalid credentials"})
        elif owner != self.hub.user:
            self._send(403, {"error": "You don't have the rights to create a model under this namespace"})
        elif name in self.hub.repos:
            self._send(409, {"error": "You already created this model repo", "url": f"{self.hub.url}/{name}"})
        else:
            self.hub.repos[name] = Repo(name, asked.get("visibility") == "private", {".gitattributes": b"*.bin lfs\n"})
            self._send(200, {"url": f"{self.hub.url}/{name}", "id": name})

    def info(self, body: bytes, name: str, revision: str | None = None) -> None:
        repo = self._allowed(name)
        if repo is None:
            return
        if revision not in (None, "main", *repo.commits):
            self._send(404, {"error": "Invalid rev id"}, {"X-Error-Code": "RevisionNotFound"})
            return
        siblings = [
            {"rfilename": path, "size": len(content), "blobId": git_blob(content)}
            for path, content in repo.files.items()
        ]
        value = {"id": name, "sha": repo.sha, "private": repo.private, "siblings": siblings, "tags": []}
        self._send(200, value | ({"cardData": repo.card} if repo.card else {}))

    def tree(self, body: bytes, name: str, revision: str) -> None:
        repo = self._allowed(name)
        if repo is None:
            return
        entries = []
        for path, content in repo.files.items():
            entry = {"type": "file", "path": path, "size": len(content), "oid": git_blob(content)}
            if path.endswith(LARGE):
                entry["lfs"] = {"oid": hashlib.sha256(content).hexdigest(), "size": len(content), "pointerSize": 130}
            entries.append(entry)
        self._send(200, entries)

    def resolve(self, body: bytes, name: str, revision: str, path: str) -> None:
        repo = self._allowed(name)
        if repo is None:
            return
        if path not in repo.files:
            self._send(404, {"error": "Entry not found"}, {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": repo.sha})
            return
        content = repo.files[path]
        etag = hashlib.sha256(content).hexdigest() if path.endswith(LARGE) else git_blob(content)
        self._send(200, content, {"X-Repo-Commit": repo.sha, "ETag": f'"{etag}"'})

    def validate(self, body: bytes) -> None:
        text = json.loads(body)["content"]
        self._send(
            200, {"errors": [], "warnings": []} if text.startswith("---\n") else {"errors": [{"message": "no YAML"}]}
        )

    # -- uploads --------------------------------------------------------------------------------
    def preupload(self, body: bytes, name: str, revision: str) -> None:
        repo = self._allowed(name, write=True)
        if repo is None:
            return
        answers = []
        for file in json.loads(body)["files"]:
            large = file["path"].endswith(LARGE)
            have = repo.files.get(file["path"])
            oid = None if have is None else stored_oid(have) if large else git_blob(have)
            mode = "lfs" if large else "regular"
            answers.append({"path": file["path"], "uploadMode": mode, "shouldIgnore": False, "oid": oid})
        self._send(200, {"files": answers})

    def batch(self, body: bytes, name: str) -> None:
        if self._allowed(name, write=True) is None:
            return
        answers = []
        for asked in json.loads(body)["objects"]:
            answer = {"oid": asked["oid"], "size": asked["size"]}
            if asked["oid"] not in self.hub.objects:
                answer["actions"] = {"upload": {"href": f"{self.hub.url}/lfs/{asked['oid']}"}}
            answers.append(answer)
        self._send(200, {"transfer": "basic", "objects": answers})

    def put_object(self, body: bytes, oid: str) -> None:
        if hashlib.sha256(body).hexdigest() != oid:
            self._send(400, {"error": "the content is not what its name says"})
            return
        self.hub.objects[oid] = body
        self._send(200, {})

    def commit(self, body: bytes, name: str, revision: str) -> None:
        repo = self._allowed(name, write=True)
        if repo is None:
            return
        for line in body.splitlines():
            item = json.loads(line)
            value = item["value"]
            if item["key"] == "header":
                repo.messages.append(value["summary"])
            elif item["key"] == "file":
                repo.files[value["path"]] = base64.b64decode(value["content"])
            elif item["key"] == "lfsFile":
                # The Xet store keeps no whole file; what it stands for is then only named.
                repo.files[value["path"]] = self.hub.objects.get(value["oid"], b"xet:" + value["oid"].encode())
        repo.commits.append(hashlib.sha1(body).hexdigest())
        url = f"{self.hub.url}/{name}/commit/{repo.sha}"
        self._send(200, {"commitUrl": url, "commitOid": repo.sha, "success": True})

    # -- the Xet store --------------------------------------------------------------------------
    def xet_token(self, body: bytes, name: str, revision: str) -> None:
        if self._allowed(name, write=True) is not None:
            grant = {"accessToken": "xet-short-lived", "exp": int(time.time()) + 3600, "casUrl": f"{self.hub.url}/cas"}
            self._send(200, grant)

    def known_chunk(self, body: bytes, hash: str) -> None:
        self._send(404, {"error": "not known yet"})

    def xorb(self, body: bytes, hash: str) -> None:
        new = hash not in self.hub.xorbs
        self.hub.xorbs.append(hash)
        self._send(200, {"was_inserted": new})

    def shard(self, body: bytes) -> None:
        self._send(200, {"result": 1})


_REPO = r"(?P<name>[\w.-]+/[\w.-]+)"
ROUTES: list[tuple[str, str, Any]] = [
    ("GET", "/api/whoami-v2", Speaker.whoami),
    ("POST", "/api/repos/create", Speaker.create),
    ("POST", "/api/validate-yaml", Speaker.validate),
    ("GET", rf"/api/models/{_REPO}", Speaker.info),
    ("GET", rf"/api/models/{_REPO}/revision/(?P<revision>.+)", Speaker.info),
    ("GET", rf"/api/models/{_REPO}/tree/(?P<revision>[^/]+)", Speaker.tree),
    ("POST", rf"/api/models/{_REPO}/preupload/(?P<revision>.+)", Speaker.preupload),
    ("POST", rf"/api/models/{_REPO}/commit/(?P<revision>.+)", Speaker.commit),
    ("GET", rf"/api/models/{_REPO}/xet-write-token/(?P<revision>.+)", Speaker.xet_token),
    ("POST", rf"/{_REPO}\.git/info/lfs/objects/batch", Speaker.batch),
    ("PUT", r"/lfs/(?P<oid>[0-9a-f]{64})", Speaker.put_object),
    ("GET", rf"/{_REPO}/resolve/(?P<revision>[^/]+)/(?P<path>.+)", Speaker.resolve),
    ("HEAD", rf"/{_REPO}/resolve/(?P<revision>[^/]+)/(?P<path>.+)", Speaker.resolve),
    ("GET", r"/cas/v1/chunks/[\w-]+/(?P<hash>\w+)", Speaker.known_chunk),
    ("POST", r"/cas/v1/xorbs/[\w-]+/(?P<hash>\w+)", Speaker.xorb),
    ("POST", r"/cas/(?:v1/)?shards?", Speaker.shard),
]


@contextmanager
def serving() -> Iterator[Hub]:
    """A hub on a free port for the length of the block."""
    hub = Hub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Speaker)
    server.daemon_threads = True
    server.hub = hub  # type: ignore[attr-defined]
    hub.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
