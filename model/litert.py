"""A LiteRT file taken apart, and put together again without outputs that are not asked for."""

import flatbuffers
from ai_edge_litert import schema_py_generated as schema

IDENTIFIER = b"TFL3"  # of a LiteRT file


def without(model: bytes, output: str) -> bytes:
    """Return a LiteRT file as another one that lacks an output, and all that only this output needs.

    The other outputs are computed as before. A file that has no such output stays as it is.
    """
    whole, graph = unpack(model)
    signature = whole.signatureDefs[0]
    dropped = {named.tensorIndex for named in signature.outputs if named.name.decode() == output}
    if not dropped:
        return model
    signature.outputs = [named for named in signature.outputs if named.tensorIndex not in dropped]
    graph.outputs = [tensor for tensor in graph.outputs if tensor not in dropped]
    return pack(whole, graph)


def unpack(model: bytes) -> tuple[schema.ModelT, schema.SubGraphT]:
    """Return what a LiteRT file holds, and of it the graph that answers."""
    whole = schema.ModelT.InitFromPackedBuf(model, 0)
    return whole, whole.subgraphs[whole.signatureDefs[0].subgraphIndex]


def pack(whole: schema.ModelT, graph: schema.SubGraphT) -> bytes:
    """Return as a LiteRT file what `unpack` gave, less the operators of the graph that no output needs."""
    needed, kept = set(graph.outputs), []
    for operator in reversed(graph.operators):  # each comes behind those whose outputs it takes
        if needed.intersection(operator.outputs):
            needed.update(operator.inputs)
            kept.append(operator)
    graph.operators = kept[::-1]
    builder = flatbuffers.Builder()
    builder.Finish(whole.Pack(builder), IDENTIFIER)
    return bytes(builder.Output())
