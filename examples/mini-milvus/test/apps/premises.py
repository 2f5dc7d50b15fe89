"""The premises of rule flush through pymilvus: one client, as commands on standard input, answers on standard output."""
import json
import sys

from pymilvus import DataType, MilvusClient

clients = {}
NAME = "python_premises"


def create(client):
    schema = client.create_schema(auto_id=False, enable_dynamic_field=False)
    schema.add_field("id", DataType.INT64, is_primary=True)
    schema.add_field("vector", DataType.FLOAT_VECTOR, dim=2)
    index = client.prepare_index_params()
    index.add_index("vector", index_type="FLAT", metric_type="L2")
    client.create_collection(NAME, schema=schema, index_params=index, num_shards=2)


def ids_of(client, level):
    # No level: what pymilvus asks by itself, a session's guarantee.
    kwargs = {} if level is None else {"consistency_level": level}
    return sorted(row["id"] for row in client.query(NAME, filter="id >= 0", output_fields=["id"], limit=1000, **kwargs))


def run(command):
    name, what = command["client"], command["do"]
    if what == "connect":
        clients[name] = MilvusClient(uri=command["uri"], option=command.get("option", {}), dedicated=True)
        return None
    client = clients[name]
    if what == "create":
        return create(client)
    if what == "insert":
        return client.insert(NAME, [{"id": i, "vector": [float(i), 1.0]} for i in command["ids"]])["insert_count"]
    if what == "delete":
        client.delete(NAME, ids=command["ids"])
        return None
    if what == "flush":
        return client.flush(NAME)
    if what == "query":
        return ids_of(client, command.get("level"))
    if what == "close":
        clients.pop(name).close()
        return None
    raise ValueError(what)


for line in sys.stdin:
    try:
        answer = {"result": run(json.loads(line))}
    except Exception as error:  # the test reads it
        answer = {"error": f"{type(error).__name__}: {error}"}
    print(json.dumps(answer, default=str), flush=True)
