"""Runs one MLflow model for a Trainyard server.

    python worker.py FOLDER MEMORY_BYTES

The process that the server starts is a keeper: it starts the model in a child and adopts all that the model
starts, also what makes itself a daemon. When the model ends, or the server closes its end of the socket or is
killed, the keeper kills all of them before it ends.

Standard input is a Unix socket to the server. Each message is a head (JSON) and a body (bytes), led
by their lengths: four and eight bytes, little-endian. Requests carry the rows as an Arrow stream,
answers the predictions: as the JSON of MLflow's scoring protocol, as an Arrow stream, or both. What
the model prints goes to standard error, which the server keeps.
"""

import ctypes
import json
import os
import resource
import select
import signal
import socket
import struct
import sys
import time
import traceback

LENGTHS = struct.Struct("<IQ")
UNEXPECTED = (
    "Encountered an unexpected error while evaluating the model. Verify"
    " that the serialized input Dataframe is compatible with the model for"
    " inference."
)


class Connection:
    def __init__(self, descriptor):
        self.socket = socket.socket(fileno=descriptor)
        self.socket.setblocking(True)

    def read(self, length):
        buffer = bytearray(length)
        view = memoryview(buffer)
        while view:
            count = self.socket.recv_into(view)
            if count == 0:
                raise EOFError
            view = view[count:]
        return buffer

    def receive(self):
        head, body = LENGTHS.unpack(self.read(LENGTHS.size))
        return json.loads(self.read(head)), self.read(body)

    def send(self, head, *parts):
        head = json.dumps(head).encode()
        self.socket.sendall(LENGTHS.pack(len(head), sum(len(part) for part in parts)) + head)
        for part in parts:
            self.socket.sendall(part)


# linux/prctl.h
PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
# bits/poll.h
POLLRDHUP = 0x2000

# A process that does not die of SIGKILL for so long hangs in the kernel, or is another user's.
END_SECONDS = 30


def prctl(option, value):
    if ctypes.CDLL(None, use_errno=True).prctl(option, ctypes.c_ulong(value), 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")


def descendants():
    """The processes below this one."""
    children = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", "rb") as file:
                    # The name of a program may hold anything, so what follows its last bracket is read.
                    parent = int(file.read().rpartition(b")")[2].split()[1])
            except (OSError, IndexError):
                continue
            children.setdefault(parent, []).append(int(name))
    found, pending = [], [os.getpid()]
    while pending:
        below = children.get(pending.pop(), [])
        found += below
        pending += below
    return found


def end_all():
    """Kills until nothing is left: whose parent dies becomes a child of this process, and is found again."""
    deadline = time.monotonic() + END_SECONDS
    while time.monotonic() < deadline:
        for process in descendants():
            try:
                os.kill(process, signal.SIGKILL)
            except OSError:
                pass
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return
        time.sleep(0.005)


def keep(model, server, woken):
    """Waits until the model ends or the server is gone, and ends as the model did."""
    poll = select.poll()
    poll.register(server, POLLRDHUP)
    poll.register(woken, select.POLLIN)
    status = None
    while status is None:
        if any(descriptor == server for descriptor, _ in poll.poll()):
            break
        if signal.SIGTERM in os.read(woken, 4096):
            break
        while True:
            process, how = os.waitpid(-1, os.WNOHANG)
            if process == model:
                status = how
                break
            if process == 0:
                break
    end_all()
    if status is not None and os.WIFSIGNALED(status):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.kill(os.getpid(), os.WTERMSIG(status))
    os._exit(os.WEXITSTATUS(status) if status is not None else 0)


def values(value, kind):
    """A value of an Arrow column as the request had it. `kind` is MLflow's type."""
    if value is None:
        return None
    name = kind["type"]
    if name == "any":
        return json.loads(value)
    if name == "array":
        return [values(item, kind["items"]) for item in value]
    if name == "object":
        properties = kind["properties"]
        return {
            key: values(value[key], spec)
            for key, spec in properties.items()
            if value.get(key) is not None or spec.get("required", True)
        }
    if name == "map":
        return {key: values(item, kind["values"]) for key, item in value}
    return value


def column(array, kind):
    """One column of a data frame. `kind` is MLflow's type of it."""
    import pandas as pd

    name = kind["type"] if kind else None
    if name in ("array", "object", "map", "any"):
        cells = [values(value, kind) for value in array.to_pylist()]
        whole = pd.Series([None] * len(cells), dtype=object)
        for position, cell in enumerate(cells):
            whole.iat[position] = cell
        return whole
    if name == "string":
        # As pandas types texts: `str` since version 3, `object` before.
        return pd.Series(array.to_pylist())
    if name == "binary":
        return pd.Series(array.to_pylist(), dtype=object)
    if array.null_count and name in ("boolean", "integer", "long"):
        return pd.Series(array.to_pylist(), dtype=object)
    return array.to_pandas()


def tensor(array, spec):
    """A tensor: lists of equal length within each other become dimensions."""
    import numpy as np
    import pyarrow as pa

    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    shape = [len(array)]
    while pa.types.is_list(array.type) or pa.types.is_fixed_size_list(array.type):
        inner = array.flatten()
        shape.append(len(inner) // len(array) if len(array) else 0)
        array = inner
    flat = array.to_numpy(zero_copy_only=False)
    if spec is not None and str(spec.type) == "object" and flat.dtype == object:
        flat = np.array([json.loads(value) for value in flat], dtype=object)
    elif spec is not None and spec.type.kind not in "OSU":
        flat = flat.astype(spec.type)
    elif flat.dtype == object:
        flat = flat.astype(str)
    return flat.reshape(shape)


def model_input(table, head, model):
    """The rows as MLflow's own server would hand them to the model."""
    import pandas as pd

    schema = model.metadata.get_input_schema()
    specs = {}
    if schema is not None:
        for position, spec in enumerate(schema.inputs):
            specs[spec.name if spec.name is not None else str(position)] = spec
    if head["form"] == "tensors":
        tensors = {name: tensor(table[name], specs.get(name)) for name in table.column_names}
        named = schema is None or schema.has_input_names()
        if not named or (schema is None and table.column_names == ["0"]):
            return next(iter(tensors.values()))
        return tensors
    absent = set(head["absent"])
    columns = {
        name: column(table[name], head["types"][position])
        for position, name in enumerate(table.column_names)
        if name not in absent
    }
    if head["form"] == "arrays":
        return {name: values.to_numpy() for name, values in columns.items()}
    frame = pd.DataFrame(columns)
    if schema is not None and not schema.has_input_names():
        frame.columns = range(len(columns))
    return frame


def plain(array):
    """Whether the server can write values of this Arrow type as JSON."""
    import pyarrow.types as types

    kind = array.type
    return (
        types.is_boolean(kind)
        or types.is_integer(kind)
        or types.is_float32(kind)
        or types.is_float64(kind)
        or types.is_string(kind)
        or types.is_large_string(kind)
    )


def table_of(raw, rows):
    """Predictions as (kind, width, Arrow table), or None for what is no table."""
    import numpy as np
    import pandas as pd
    import pyarrow as pa

    def one(values):
        array = pa.array(values, from_pandas=False)
        if isinstance(array, pa.ChunkedArray):
            array = array.combine_chunks()
        return array if plain(array) and len(array) == rows else None

    if isinstance(raw, pd.DataFrame):
        arrays = [one(raw.iloc[:, position]) for position in range(raw.shape[1])]
        if not arrays or any(array is None for array in arrays):
            return None
        return "named", 1, pa.table(arrays, names=[str(name) for name in raw.columns])
    if isinstance(raw, dict):
        arrays = [one(values) for values in raw.values()]
        if not arrays or any(array is None for array in arrays):
            return None
        return "named", 1, pa.table(arrays, names=[str(name) for name in raw])
    if isinstance(raw, np.ndarray) and raw.ndim == 2 and raw.shape[0] == rows:
        flat = pa.array(np.ascontiguousarray(raw).reshape(-1))
        return ("matrix", raw.shape[1], pa.table([flat], names=["0"])) if plain(flat) else None
    if isinstance(raw, (np.ndarray, pd.Series, list)):
        array = one(raw)
        return None if array is None else ("column", 1, pa.table([array], names=["0"]))
    return None


def arrow(raw, rows, jsonable, encoder):
    """Predictions as Arrow: typed where they are a table, else the JSON text of each row."""
    import pyarrow as pa

    try:
        found = table_of(raw, rows)
    except (pa.ArrowException, TypeError, ValueError, AttributeError):
        found = None
    if found is None:
        items = jsonable if isinstance(jsonable, list) and len(jsonable) == rows else [jsonable] * rows
        texts = [json.dumps(item, cls=encoder) for item in items]
        found = "json", 1, pa.table([pa.array(texts, pa.string())], names=["0"])
    kind, width, table = found
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return kind, width, sink.getvalue()


def predict(model, head, body):
    """Answers one request; raises what the model raises."""
    import pyarrow as pa
    from mlflow.exceptions import MlflowException
    from mlflow.utils.proto_json_utils import NumpyEncoder, _get_jsonable_obj

    table = pa.ipc.open_stream(body).read_all()
    data = model_input(table, head, model)
    try:
        raw = model.predict(data, params=head["params"])
    except MlflowException as error:
        # MLflow's server repeats the whole data here; it does not belong into logs.
        error.message = f"Failed to predict data. \nError: {error.message}"
        raise
    jsonable = _get_jsonable_obj(raw, pandas_orient="records")
    scoring, kind, width, columns = b"", None, 0, b""
    if head["scoring"]:
        scoring = json.dumps({"predictions": jsonable}, cls=NumpyEncoder).encode()
    if head["columns"]:
        kind, width, columns = arrow(raw, len(table), jsonable, NumpyEncoder)
    answer = {"outcome": "answered", "scoring": len(scoring), "kind": kind, "width": width}
    return answer, scoring, columns


def refusal(error):
    """The body and status with which MLflow's server answers this error."""
    from mlflow.exceptions import BAD_REQUEST, MlflowException

    if not isinstance(error, MlflowException):
        text = "".join(traceback.format_exception(type(error), error, error.__traceback__))
        sys.stderr.write(text)
        error = MlflowException(message=UNEXPECTED, error_code=BAD_REQUEST, stack_trace=text)
    head = {"outcome": "refused", "status": error.get_http_status_code()}
    return head, error.serialize_as_json().encode()


def load(folder):
    """The model, and the versions of what runs it."""
    import mlflow
    import mlflow.pyfunc
    import pyarrow

    model = mlflow.pyfunc.load_model(folder)
    versions = {"python": sys.version.split()[0], "mlflow": mlflow.__version__, "pyarrow": pyarrow.__version__}
    return model, versions


def main():
    folder, memory = sys.argv[1], int(sys.argv[2])
    server = os.dup(0)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    woken, wakes = os.pipe()
    os.set_blocking(wakes, False)
    signal.set_wakeup_fd(wakes, warn_on_full_buffer=False)
    for number in (signal.SIGCHLD, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    keeper = os.getpid()
    model = os.fork()
    if model:
        keep(model, server, woken)
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != keeper:
        os._exit(1)
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGCHLD, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    os.close(woken)
    os.close(wakes)
    # A model that signals its group or its session does not mean the keeper.
    os.setsid()
    run(Connection(server), folder, memory)


def run(connection, folder, memory):
    if memory:
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    try:
        model, versions = load(folder)
    except BaseException as error:
        traceback.print_exc()
        connection.send({"outcome": "unloadable", "reason": f"{type(error).__name__}: {error}"})
        return
    connection.send({"outcome": "ready", "pid": os.getpid(), **versions})
    while True:
        try:
            head, body = connection.receive()
        except (EOFError, ConnectionError):
            return
        try:
            answer = predict(model, head, body)
        except MemoryError:
            answer = ({"outcome": "out of memory"},)
        except BaseException as error:
            answer = refusal(error)
        # Nothing of this request may keep memory until the next.
        del head, body
        connection.send(*answer)


if __name__ == "__main__":
    main()
