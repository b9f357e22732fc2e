"""What a new version of MLflow changes that concerns this server: upstream.py WHEEL INSTALLED-PACKAGE CHECKOUT.

The wheel is read, not installed, and compared with the installed package, which is the version that this server was
measured against, and with what this checkout has: its schema version, its tables, its routes, its flags.
"""

import ast
import difflib
import pathlib
import re
import sys
import zipfile

from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto

# What clients and server do on the wire, beside the messages.
WIRE = (
    "mlflow/store/tracking/rest_store.py",
    "mlflow/store/model_registry/rest_store.py",
    "mlflow/store/artifact/http_artifact_repo.py",
    "mlflow/store/artifact/mlflow_artifacts_repo.py",
    "mlflow/utils/rest_utils.py",
    "mlflow/utils/validation.py",
    "mlflow/utils/search_utils.py",
    "mlflow/server/handlers.py",
    "mlflow/store/tracking/sqlalchemy_store.py",
    "mlflow/store/model_registry/sqlalchemy_store.py",
)
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
VERSIONS = "mlflow/store/db_migrations/versions/"
# Messages of services that this server does not have, or that are another product's.
ELSEWHERE = ("databricks", "unity_catalog", "facet_", "internal")


class Package:
    """The texts of a package's Python files, by path."""

    def __init__(self, place):
        self.texts = {}
        if place.is_dir():
            for path in place.rglob("*.py"):
                self.texts[str(path.relative_to(place.parent))] = path.read_text()
        else:
            with zipfile.ZipFile(place) as wheel:
                for name in wheel.namelist():
                    if name.startswith("mlflow/") and name.endswith(".py"):
                        self.texts[name] = wheel.read(name).decode()
        self.migrations = {}
        for name, text in self.texts.items():
            found = re.search(r"""^revision = ["'](\w+)["']""", text, re.M)
            if name.startswith(VERSIONS) and found:
                before = re.search(r"""^down_revision = ["'](\w+)["']""", text, re.M)
                self.migrations[found[1]] = (before and before[1], text)

    def version(self):
        return re.search(r"""^VERSION[^=]*= ["']([^"']+)""", self.texts["mlflow/version.py"], re.M)[1]

    def chain(self):
        """Revisions, the oldest first."""
        after = {before: revision for revision, (before, _text) in self.migrations.items()}
        chain, head = [], after.get(None)
        while head:
            chain.append(head)
            head = after.get(head)
        return chain

    def protos(self):
        for name, text in sorted(self.texts.items()):
            if not name.startswith("mlflow/protos/") or not name.endswith("_pb2.py"):
                continue
            if pathlib.PurePath(name).name.startswith(ELSEWHERE):
                continue
            for node in ast.walk(ast.parse(text)):
                is_file = isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "AddSerializedFile"
                if is_file and isinstance(node.args[0], ast.Constant):
                    yield FileDescriptorProto.FromString(node.args[0].value)
                    break

    def routes(self):
        """`METHOD path` of the protos' services, and of decorators and routers of the server."""
        routes = set()
        for proto in self.protos():
            for service in proto.service:
                for method in service.method:
                    found = endpoints(method.options.SerializeToString())
                    routes.update(f"{verb} {path}" for verb, path in found)
        for name, text in self.texts.items():
            if name.startswith("mlflow/server/"):
                routes.update(f"{route} [{pathlib.PurePath(name).name}]" for route in decorated(text))
        return routes

    def messages(self):
        """Every field of every message, as one line."""
        fields = set()
        for proto in self.protos():
            for message in proto.message_type:
                walk(message, message.name, fields)
            for enum in proto.enum_type:
                fields.update(f"{enum.name}: {value.name} = {value.number}" for value in enum.value)
        return fields

    def flags(self):
        """Flags of `mlflow server`."""
        shared = {}
        for node in ast.walk(ast.parse(self.texts.get("mlflow/utils/cli_args.py", ""))):
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
                shared[node.targets[0].id] = options(node.value)
        flags = set()
        for name in ("mlflow/cli/__init__.py", "mlflow/cli.py"):
            for node in ast.walk(ast.parse(self.texts.get(name, ""))):
                if isinstance(node, ast.FunctionDef) and node.name == "server":
                    for decorator in node.decorator_list:
                        if isinstance(decorator, ast.Call):
                            flags.update(options(decorator))
                        elif isinstance(decorator, ast.Attribute):
                            flags.update(shared.get(decorator.attr, ()))
        return flags


def walk(message, name, fields):
    for field in message.field:
        kind = field.type_name.rsplit(".", 1)[-1] or FieldDescriptorProto.Type.Name(field.type)[5:].lower()
        many = "repeated " if field.label == FieldDescriptorProto.LABEL_REPEATED else ""
        fields.add(f"{name}: {many}{kind} {field.name} = {field.number}")
    for inner in message.nested_type:
        walk(inner, f"{name}.{inner.name}", fields)
    for enum in message.enum_type:
        fields.update(f"{name}.{enum.name}: {value.name} = {value.number}" for value in enum.value)


def endpoints(data):
    """Method and path of each endpoint in a method's options, which are an extension: the bytes are walked over."""
    fields, at = [], 0

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    try:
        while at < len(data):
            key = varint()
            if key & 7 == 0:
                varint()
            elif key & 7 == 2:
                size = varint()
                fields.append((key >> 3, data[at : at + size]))
                at += size
            else:
                return []
    except IndexError:
        return []
    texts = dict(fields)
    if texts.get(1) and texts.get(2, b"").startswith(b"/") and texts[1].decode("latin1") in METHODS:
        return [(texts[1].decode(), texts[2].decode())]
    return [found for _number, value in fields for found in endpoints(value)]


def decorated(text):
    """Routes that stand in decorators: `@app.route("/x")`, `@router.get("/y")`, below their router's prefix."""
    tree = ast.parse(text)
    prefix = ""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "APIRouter":
            named = [ast.unparse(word.value).strip("'\"") for word in node.keywords if word.arg == "prefix"]
            prefix = "".join(named)
    for node in ast.walk(tree):
        for decorator in getattr(node, "decorator_list", []):
            if not isinstance(decorator, ast.Call) or not isinstance(decorator.func, ast.Attribute):
                continue
            verb = decorator.func.attr
            if verb != "route" and verb.upper() not in METHODS:
                continue
            paths = [part.value for part in ast.walk(decorator) if isinstance(part, ast.Constant)]
            paths = [path for path in paths if isinstance(path, str) and path.startswith("/")]
            verb = "ANY" if verb == "route" else verb.upper()
            yield from (f"{verb} {prefix}{path}" for path in paths[:1])


def options(call):
    """The flags of a `click.option(…)`."""
    if getattr(call.func, "attr", "") != "option":
        return set()
    names = [part.value for part in call.args if isinstance(part, ast.Constant)]
    return {part for name in names for part in name.split("/") if part.startswith("--")}


class Ours:
    """What this checkout has."""

    def __init__(self, root):
        tracking = root / "crates/tracking/src"
        migrations = (tracking / "store/upgrade/migrations.rs").read_text()
        self.head = re.search(r'const HEAD: &str = "(\w+)"', migrations)[1]
        columns = (tracking / "store/schema_columns.rs").read_text()
        self.tables = re.findall(r'"(\w+)"', columns.split("const USED", 1)[1].split("];", 1)[0])
        self.paths = set()
        for path in (tracking / "api").rglob("*.rs"):
            self.paths.update(re.findall(r'\.route\(\s*"([^"]+)"', path.read_text()))
        server = (root / "crates/trainyard/src/commands").glob("*.rs")
        texts = "\n".join(path.read_text() for path in server)
        named = re.findall(r"^ {4}(?:r#)?(\w+):", texts, re.M) + re.findall(r'long = "([\w-]+)"', texts)
        self.flags = {"--" + name.replace("_", "-") for name in named}

    def serves(self, route):
        path = re.sub(r"<[^>]*>|\{[^}]*\}", "{}", route.split(" ")[1])
        known = {re.sub(r"\{[^}]*\}", "{}", ours) for ours in self.paths}
        return any(path.endswith(ours) for ours in known)


def section(title, lines, todo):
    print(f"\n{title}: {len(lines) or 'nothing'}")
    for line in lines:
        print(f"  {line}")
    if lines:
        print(f"  -> {todo}")


def main():
    new, old, ours = Package(pathlib.Path(sys.argv[1])), Package(pathlib.Path(sys.argv[2])), Ours(pathlib.Path(sys.argv[3]))
    print(f"MLflow {new.version()} beside {old.version()}, which this checkout was measured against")

    chain = new.chain()
    print(f"\nschema: {ours.head} here, {chain[-1]} there")
    if ours.head not in chain:
        print("  -> our version is not in its chain of migrations: is this an older one?")
        added = []
    else:
        added = chain[chain.index(ours.head) + 1 :]
    lines, concerned = [], False
    for revision in added:
        text = new.migrations[revision][1]
        used = [table for table in ours.tables if re.search(rf"""["']{table}["'.]""", text)]
        # Some name tables by upstream's classes.
        used += sorted(set(re.findall(r"(Sql\w+)\.__tablename__", text)))
        concerned = concerned or bool(used)
        title = text.splitlines()[0].strip('"')
        lines.append(f"{revision} {title} ({', '.join(used) or 'no table that is used here'})")
    section(
        "migrations after ours",
        lines,
        "look whether columns of these tables change: such databases are refused if a statement would break"
        if concerned
        else "its databases open; to make such tables, add the migrations to store/upgrade and move HEAD",
    )
    changed = [
        revision
        for revision in chain
        if revision in old.migrations and old.migrations[revision][1] != new.migrations[revision][1]
    ]
    section("migrations that were written anew", changed, "compare what they do with store/upgrade")

    left, right = old.routes(), new.routes()
    gone = sorted(left - right)
    section("routes that are gone", [f"{route}{' (served here)' * ours.serves(route)}" for route in gone], "keep them: older clients ask for them")
    section("routes that are new", sorted(right - left), "name them in docs/mlflow-compatibility.md, as here or not here")

    left, right = old.messages(), new.messages()
    section("fields that are gone or changed", sorted(left - right), "older clients send them; read both")
    section("fields that are new", sorted(right - left), "are they of messages that are served here?")

    left, right = old.flags(), new.flags()
    section("flags that are gone", sorted(left - right), "keep them: command lines have them")
    section("flags that are new", sorted(right - left), "take them, or say in docs/tracking.md that they are not here")
    section("flags that are not here", sorted(right - ours.flags), "see the beginning of docs/tracking.md")

    lines = []
    for name in WIRE:
        before, after = (package.texts.get(name, "").splitlines() for package in (old, new))
        delta = [line[0] for line in difflib.ndiff(before, after) if line[0] in "+-"] if before != after else []
        if delta:
            lines.append(f"{name}: +{delta.count('+')} -{delta.count('-')}")
    section("code of what goes over the wire that changed", lines, "read the differences for behaviour that is measured here")


main()
