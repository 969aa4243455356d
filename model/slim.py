"""A LiteRT file without one of its outputs: who does not ask for it would wait for it all the same."""

import flatbuffers
from ai_edge_litert import schema_py_generated as schema

IDENTIFIER = b"TFL3"  # of a LiteRT file


def without(model: bytes, output: str) -> bytes:
    """Return a LiteRT file as another one that lacks an output, and all that only this output needs.

    The other outputs are computed as before. A file that has no such output stays as it is.
    """
    whole = schema.ModelT.InitFromPackedBuf(model, 0)
    signature = whole.signatureDefs[0]
    graph = whole.subgraphs[signature.subgraphIndex]
    dropped = {named.tensorIndex for named in signature.outputs if named.name.decode() == output}
    if not dropped:
        return model
    signature.outputs = [named for named in signature.outputs if named.tensorIndex not in dropped]
    graph.outputs = [tensor for tensor in graph.outputs if tensor not in dropped]
    return pack(whole, graph)


def pack(whole: schema.ModelT, graph: schema.SubGraphT) -> bytes:
    """Return a model as a LiteRT file, its graph without the operators that no output needs."""
    needed, kept = set(graph.outputs), []
    for operator in reversed(graph.operators):  # each comes behind those whose outputs it takes
        if needed.intersection(operator.outputs):
            needed.update(operator.inputs)
            kept.append(operator)
    graph.operators = kept[::-1]
    builder = flatbuffers.Builder()
    builder.Finish(whole.Pack(builder), IDENTIFIER)
    return bytes(builder.Output())
