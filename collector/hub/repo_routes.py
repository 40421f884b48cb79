"""Routes about repositories as a whole: users, making, deleting, settings, lists, commits, branches, tags."""

from __future__ import annotations

from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from collector.hub import listing
from collector.hub.access import split_repo_id
from collector.hub.handling import (
    address_of,
    body_of,
    flag_of,
    hub_of,
    json_of,
    off_loop,
    page,
    parameter,
    repository_of,
    require_write,
    text_of,
    user_of,
)
from collector.hub.names import KINDS, Refusal, check_path
from collector.hub.repository import MAIN, Repository


def web_address(request: Request, repo: Repository) -> str:
    """Return the repository's address as the client expects it (datasets carry their kind, models do not)."""
    return f"{address_of(request)}/{'' if repo.kind == 'models' else repo.kind + '/'}{repo.id}"


async def whoami(request: Request) -> Response:
    """GET /api/whoami-v2"""
    user = user_of(request)
    if user is None:
        raise Refusal(401, "log in: 'hf auth login' or HF_TOKEN")
    granted = sorted((user.namespaces or frozenset()) - {user.name})
    return JSONResponse(
        {
            "type": "user",
            "id": user.name,
            "name": user.name,
            "fullname": user.name,
            "isPro": False,
            "orgs": [{"type": "org", "id": name, "name": name, "roleInOrg": "write"} for name in granted],
            "auth": {"type": "access_token", "accessToken": {"displayName": user.name, "role": "write"}},
        }
    )


async def _named(request: Request) -> tuple[str, str]:
    """The kind and id in the body of create and delete."""
    fields = await json_of(request)
    request.state.fields = fields
    kind = f"{fields.get('type') or 'model'}s"
    if kind not in KINDS:
        raise Refusal(400, f"this Hub keeps datasets and models, not '{kind[:50]}'")
    user = user_of(request)
    namespace = fields.get("organization") or (user.name if user else "")
    return kind, f"{namespace}/{text_of(fields, 'name')}"


async def create(request: Request) -> Response:
    """POST /api/repos/create"""
    kind, repo_id = await _named(request)
    user = require_write(user_of(request), split_repo_id(repo_id)[0])
    fields = request.state.fields
    private = fields.get("visibility") == "private" or fields.get("private") is True
    store = hub_of(request).store
    existing = store.find(kind, repo_id)
    if existing is not None:
        raise Refusal(409, f"{kind[:-1]} {repo_id} already exists", url=web_address(request, existing))
    try:
        repo = await off_loop(store.create, kind, repo_id, user.name, private)
    except Refusal as refusal:
        existing = store.find(kind, repo_id)
        if refusal.status == 409 and existing is not None:
            refusal.extra["url"] = web_address(request, existing)
        raise
    return JSONResponse({"url": web_address(request, repo), "name": repo.id, "id": repo.id})


async def delete(request: Request) -> Response:
    """DELETE /api/repos/delete"""
    kind, repo_id = await _named(request)
    request.path_params.update(kind=kind, namespace=repo_id.partition("/")[0], name=repo_id.partition("/")[2])
    repo = repository_of(request, write=True)
    await off_loop(hub_of(request).store.delete, repo)
    return JSONResponse({})


async def settings(request: Request) -> Response:
    """PUT A/settings: visibility."""
    repo = repository_of(request, write=True)
    fields = await json_of(request)
    if fields.get("gated"):
        raise Refusal(400, "this Hub has no gated repositories: make it private instead")
    visibility = fields.get("visibility")
    private = (
        fields.get("private") if visibility is None else {"private": True, "public": False}.get(visibility)
    )
    if not isinstance(private, bool):
        raise Refusal(400, "visibility must be 'private' or 'public'")
    await off_loop(repo.set_private, private)
    return JSONResponse({"private": private})


async def repositories(request: Request) -> Response:
    """GET /api/datasets, GET /api/models: what this user may see, filtered by `author` and `search`."""
    user = user_of(request)
    kind = request.path_params["kind"]
    author, search = request.query_params.get("author"), request.query_params.get("search", "").lower()
    full = flag_of(request, "full")

    def collect() -> list[dict]:
        items = []
        for repo in hub_of(request).store.repositories(kind):
            namespace = repo.id.partition("/")[0]
            visible = not repo.private or (user is not None and user.may_write(namespace))
            if visible and author in (None, namespace) and search in repo.id.lower():
                items.append(listing.repo_json(repo, files=full))
        return sorted(items, key=lambda item: item["lastModified"], reverse=True)

    return page(request, await off_loop(collect), 500, 1000)


async def info(request: Request) -> Response:
    """GET A, GET A/revision/{rev}"""
    repo = repository_of(request)
    revision = parameter(request, "revision") if "revision" in request.path_params else MAIN
    sizes = flag_of(request, "blobs")

    def collect() -> dict:
        return listing.repo_json(repo, repo.resolve(revision), sizes=sizes)

    return JSONResponse(await off_loop(collect))


async def tree(request: Request) -> Response:
    """GET A/tree/{rev}[/{path}], in pages."""
    repo = repository_of(request)
    folder = parameter(request, "path").strip("/") if "path" in request.path_params else ""
    recursive, expand = flag_of(request, "recursive"), flag_of(request, "expand")

    def collect() -> list[dict]:
        commit = repo.resolve(parameter(request, "revision"))
        items = listing.tree_json(repo.tree(commit), folder, recursive)
        if items is None:
            raise Refusal(404, f"folder '{folder[:200]}' is not in {repo.id} at {commit.id}", "EntryNotFound")
        if expand:
            listing.add_last_commits(repo, commit, items)
        return items

    return page(request, await off_loop(collect), 1000, 1000)


async def paths_info(request: Request) -> Response:
    """POST A/paths-info/{rev}: the files and folders among the paths asked for; missing ones are left out."""
    repo = repository_of(request)
    if request.headers.get("content-type", "").startswith("application/json"):
        fields = await json_of(request)
        paths, expand = fields.get("paths") or [], bool(fields.get("expand"))
    else:
        form = parse_qs((await body_of(request)).decode(errors="replace"))
        paths, expand = form.get("paths", []), form.get("expand", [""])[0].lower() in ("1", "true")
    if not isinstance(paths, list) or not all(isinstance(path, str) for path in paths):
        raise Refusal(400, "'paths' must be a list of paths")

    def collect() -> list[dict]:
        commit = repo.resolve(parameter(request, "revision"))
        files = repo.tree(commit)
        items = []
        for path in paths:
            name = path.strip("/")
            if name in files:
                items.append(listing.file_json(name, files[name]))
            elif name and any(other.startswith(name + "/") for other in files):
                items.append(listing.folder_json(check_path(name), files))
        if expand:
            listing.add_last_commits(repo, commit, items)
        return items

    return JSONResponse(await off_loop(collect))


async def refs(request: Request) -> Response:
    """GET A/refs"""
    return JSONResponse(await off_loop(listing.refs_json, repository_of(request)))


async def commits(request: Request) -> Response:
    """GET A/commits/{rev}, newest first, in pages."""
    repo = repository_of(request)

    def collect() -> list[dict]:
        return [
            listing.commit_json(commit)
            for commit in repo.history(repo.resolve(parameter(request, "revision")))
        ]

    return page(request, await off_loop(collect), 50, 1000)


async def create_tag(request: Request) -> Response:
    """POST A/tag/{rev}: body {"tag", "force"?}; `force` moves an existing tag in one step."""
    repo = repository_of(request, write=True)
    fields = await json_of(request)
    name = text_of(fields, "tag")
    commit = repo.resolve(parameter(request, "revision"))
    await off_loop(repo.create_ref, "tags", name, commit, replace=fields.get("force") is True)
    return JSONResponse({"tag": name, "targetCommit": commit.id})


async def delete_tag(request: Request) -> Response:
    """DELETE A/tag/{tag}"""
    repo = repository_of(request, write=True)
    await off_loop(repo.delete_ref, "tags", parameter(request, "revision"))
    return JSONResponse({})


async def create_branch(request: Request) -> Response:
    """POST A/branch/{branch}: body {"startingPoint"?: revision}"""
    repo = repository_of(request, write=True)
    commit = repo.resolve(text_of(await json_of(request), "startingPoint", MAIN))
    await off_loop(repo.create_ref, "heads", parameter(request, "revision"), commit)
    return JSONResponse({"targetCommit": commit.id})


async def delete_branch(request: Request) -> Response:
    """DELETE A/branch/{branch}"""
    repo = repository_of(request, write=True)
    await off_loop(repo.delete_ref, "heads", parameter(request, "revision"))
    return JSONResponse({})


async def auth_check(request: Request) -> Response:
    """GET A/auth-check[/write]"""
    repository_of(request, write=request.url.path.endswith("/write"))
    return JSONResponse({})


async def validate_yaml(request: Request) -> Response:
    """POST /api/validate-yaml: every card is accepted."""
    user_of(request)
    return JSONResponse({"errors": [], "warnings": []})


def routes() -> list[Route]:
    """The routes of this module."""
    a = "/api/{kind:kind}/{namespace}/{name}"
    return [
        Route("/api/whoami-v2", whoami),
        Route("/api/validate-yaml", validate_yaml, methods=["POST"]),
        Route("/api/repos/create", create, methods=["POST"]),
        Route("/api/repos/delete", delete, methods=["DELETE"]),
        Route("/api/{kind:kind}", repositories),
        Route(a, info),
        Route(f"{a}/settings", settings, methods=["PUT"]),
        Route(f"{a}/revision/{{revision}}", info),
        Route(f"{a}/tree/{{revision}}", tree),
        Route(f"{a}/tree/{{revision}}/{{path:path}}", tree),
        Route(f"{a}/paths-info/{{revision}}", paths_info, methods=["POST"]),
        Route(f"{a}/refs", refs),
        Route(f"{a}/commits/{{revision}}", commits),
        Route(f"{a}/tag/{{revision}}", create_tag, methods=["POST"]),
        Route(f"{a}/tag/{{revision}}", delete_tag, methods=["DELETE"]),
        Route(f"{a}/branch/{{revision}}", create_branch, methods=["POST"]),
        Route(f"{a}/branch/{{revision}}", delete_branch, methods=["DELETE"]),
        Route(f"{a}/auth-check", auth_check),
        Route(f"{a}/auth-check/write", auth_check),
    ]
