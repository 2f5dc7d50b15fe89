"""The application: notes that are found by what they are about. It speaks REST and knows nothing of who serves it."""

import json
import urllib.request


class MilvusError(Exception):
    pass


class Notes:
    def __init__(self, url, collection, dimension, embed):
        self.url, self.collection, self.embed = url, collection, embed
        self.call("collections/create", dimension=dimension, metricType="COSINE", consistencyLevel="Strong")

    def add(self, *notes):
        self.call("entities/upsert", data=[{**note, "vector": self.embed(note["text"])} for note in notes])

    def find(self, question, limit=3, topic=None):
        where = {} if topic is None else {"filter": "topic == {topic}", "exprParams": {"topic": topic}}
        data = [self.embed(question)]
        return self.call("entities/search", data=data, limit=limit, outputFields=["text", "topic"], consistencyLevel="Strong", **where)

    def remove(self, *ids):
        self.call("entities/delete", filter="id in {ids}", exprParams={"ids": list(ids)})

    def call(self, path, **body):
        content = json.dumps({"collectionName": self.collection, **body}).encode()
        # Python's integers have no limit: ids may come as numbers.
        headers = {"Content-Type": "application/json", "Accept-Type-Allow-Int64": "true"}
        request = urllib.request.Request(f"{self.url}/v2/vectordb/{path}", content, headers)
        with urllib.request.urlopen(request, timeout=30) as response:
            answer = json.load(response)
        if answer["code"] != 0:
            raise MilvusError(f"{answer['code']}: {answer['message']}")
        return answer["data"]
