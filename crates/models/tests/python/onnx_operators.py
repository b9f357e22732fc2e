"""Graphs of one operator each, by hand: what converters do not emit today, and what only ONNX Runtime evaluates.

onnx_operators.py FOLDER: NAME.onnx and NAME.json as onnx_models.py; those in FOLDER/runtime need ONNX Runtime.
"""

import json
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper

OUT = Path(sys.argv[1])
RNG = np.random.default_rng(0)
TYPES = {"f": TensorProto.FLOAT, "d": TensorProto.DOUBLE, "i": TensorProto.INT64, "s": TensorProto.STRING}


def write(name, nodes, feeds, kinds, outputs, tolerance=1e-5, ml=3, opset=18, shapes=None, folder=OUT, constants=()):
    shapes = shapes or {}
    given = [helper.make_tensor_value_info(n, TYPES[kinds[n]], shapes.get(n, [None, np.asarray(v).shape[1]])) for n, v in feeds.items()]
    answered = [helper.make_tensor_value_info(n, TYPES[t], None) for n, t in outputs.items()]
    graph = helper.make_graph(nodes, name, given, answered, list(constants))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset), helper.make_opsetid("ai.onnx.ml", ml)], ir_version=9)
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    results = dict(zip(outputs, session.run(list(outputs), feeds)))
    columns, data = [], []
    for key, value in feeds.items():
        flat = np.asarray(value).reshape(len(value), -1)
        columns += [key] if len(feeds) > 1 else [str(i) for i in range(flat.shape[1])]
        data.append(flat)
    rows = [sum((part[i].tolist() for part in data), []) for i in range(len(data[0]))]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.onnx").write_bytes(model.SerializeToString())
    document = {"inputs": {"columns": columns, "data": rows}, "outputs": {k: v.tolist() for k, v in results.items()}, "tolerance": tolerance}
    (folder / f"{name}.json").write_text(json.dumps(document))


def ml(op, inputs, outputs, **attributes):
    return helper.make_node(op, inputs, outputs, domain="ai.onnx.ml", **attributes)


def encoders():
    text = RNG.choice(["a", "b", "zz", ""], (12, 1)).astype(object)
    numbers = RNG.integers(-1, 4, (12, 1))
    floats = RNG.choice([0.5, 1.5, -0.0, 9.0], (12, 1)).astype(np.float32)
    write("labels_text_int", [ml("LabelEncoder", ["x"], ["y"], keys_strings=["a", "b"], values_int64s=[7, 8], default_int64=-5)], {"x": text}, {"x": "s"}, {"y": "i"})
    write("labels_int_text", [ml("LabelEncoder", ["x"], ["y"], keys_int64s=[0, 1], values_strings=["no", "yes"], default_string="?")], {"x": numbers}, {"x": "i"}, {"y": "s"})
    write("labels_float_float", [ml("LabelEncoder", ["x"], ["y"], keys_floats=[0.5, 0.0], values_floats=[2.0, 3.0], default_float=-1.0)], {"x": floats}, {"x": "f"}, {"y": "f"})
    write("labels_tensor", [ml("LabelEncoder", ["x"], ["y"], keys_tensor=helper.make_tensor("k", TensorProto.STRING, [2], [b"a", b"zz"]), values_tensor=helper.make_tensor("v", TensorProto.INT64, [2], [3, 4]),
                            default_tensor=helper.make_tensor("d", TensorProto.INT64, [1], [99]))], {"x": text}, {"x": "s"}, {"y": "i"}, ml=4)
    write("labels_old", [ml("LabelEncoder", ["x"], ["y"], classes_strings=["a", "b", "zz"], default_int64=-3)], {"x": text}, {"x": "s"}, {"y": "i"}, ml=1)
    write("mapper_text", [ml("CategoryMapper", ["x"], ["y"], cats_strings=["a", "b"], cats_int64s=[5, 6], default_int64=-2)], {"x": text}, {"x": "s"}, {"y": "i"}, ml=1)
    write("mapper_int", [ml("CategoryMapper", ["x"], ["y"], cats_strings=["a", "b"], cats_int64s=[0, 1], default_string="none")], {"x": numbers}, {"x": "i"}, {"y": "s"}, ml=1)
    write("one_hot_text", [ml("OneHotEncoder", ["x"], ["h"], cats_strings=["a", "b", "zz"], zeros=1), helper.make_node("Flatten", ["h"], ["y"])], {"x": text}, {"x": "s"}, {"y": "f"})
    write("one_hot_int", [ml("OneHotEncoder", ["x"], ["h"], cats_int64s=[0, 1, 2], zeros=1), helper.make_node("Flatten", ["h"], ["y"])], {"x": numbers}, {"x": "i"}, {"y": "f"})


def numbers():
    x = RNG.normal(size=(10, 3)).astype(np.float32)
    x[0] = 0
    whole = RNG.integers(-3, 3, (10, 3))
    for norm in ("MAX", "L1", "L2"):
        write(f"normalizer_{norm}", [ml("Normalizer", ["x"], ["y"], norm=norm)], {"x": np.abs(x)}, {"x": "f"}, {"y": "f"})
    write("scaler", [ml("Scaler", ["x"], ["y"], offset=[0.5, -1.0, 2.0], scale=[2.0, 0.1, -3.0])], {"x": x}, {"x": "f"}, {"y": "f"})
    write("scaler_one", [ml("Scaler", ["x"], ["y"], offset=[0.5], scale=[2.0])], {"x": x}, {"x": "f"}, {"y": "f"})
    write("scaler_int", [ml("Scaler", ["x"], ["y"], offset=[0.5], scale=[2.0])], {"x": whole}, {"x": "i"}, {"y": "f"})
    write("binarizer", [ml("Binarizer", ["x"], ["y"], threshold=0.1)], {"x": x}, {"x": "f"}, {"y": "f"})
    holes = np.where(RNG.random(x.shape) < 0.3, np.nan, x).astype(np.float32)
    write("imputer", [ml("Imputer", ["x"], ["y"], imputed_value_floats=[1.0, 2.0, 3.0], replaced_value_float=float("nan"))], {"x": holes}, {"x": "f"}, {"y": "f"})
    write("imputer_int", [ml("Imputer", ["x"], ["y"], imputed_value_int64s=[9], replaced_value_int64=-3)], {"x": whole}, {"x": "i"}, {"y": "i"})
    write("vectorizer", [ml("FeatureVectorizer", ["x", "z"], ["y"], inputdimensions=[1, 1])], {"x": x[:, :1], "z": x[:, 1:2]}, {"x": "f", "z": "f"}, {"y": "f"}, ml=1)
    write("extractor", [ml("ArrayFeatureExtractor", ["x", "at"], ["y"])], {"x": x}, {"x": "f"}, {"y": "f"}, constants=[helper.make_tensor("at", TensorProto.INT64, [2], [2, 0])])


def networks():
    """What layers of networks become."""
    x = RNG.normal(size=(10, 3)).astype(np.float32)
    x[0] = 0
    floats = lambda name, values: helper.make_tensor(name, TensorProto.FLOAT, [len(values)], values)
    for op, attributes in {"Elu": {}, "Selu": {}, "LpNormalization": {}}.items():
        write(f"default_{op}", [helper.make_node(op, ["x"], ["y"], **attributes)], {"x": x}, {"x": "f"}, {"y": "f"})
    write("elu_alpha", [helper.make_node("Elu", ["x"], ["y"], alpha=0.3)], {"x": x}, {"x": "f"}, {"y": "f"})
    write("selu_both", [helper.make_node("Selu", ["x"], ["y"], alpha=2.0, gamma=0.5)], {"x": x}, {"x": "f"}, {"y": "f"})
    write("lp_sum", [helper.make_node("LpNormalization", ["x"], ["y"], p=1, axis=1)], {"x": x}, {"x": "f"}, {"y": "f"})
    write("prelu", [helper.make_node("PRelu", ["x", "s"], ["y"])], {"x": x}, {"x": "f"}, {"y": "f"}, constants=[floats("s", [0.1, 2.0, -1.0])])
    parts = [floats("scale", [1.0, 0.5, -2.0]), floats("shift", [0.1, 0.0, 3.0]), floats("mean", [0.2, -1.0, 0.0]), floats("variance", [1.5, 0.01, 2.0])]
    write("batches", [helper.make_node("BatchNormalization", ["x", "scale", "shift", "mean", "variance"], ["y"], epsilon=1e-3)], {"x": x}, {"x": "f"}, {"y": "f"}, constants=parts)


def models():
    x = RNG.normal(size=(20, 3)).astype(np.float32)
    for post in ("NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT"):
        if post != "PROBIT":
            write(f"linear_{post}", [ml("LinearClassifier", ["x"], ["l", "p"], coefficients=RNG.normal(size=9).tolist(), intercepts=[0.1, 0.2, -0.3], classlabels_ints=[3, 5, 9], post_transform=post, multi_class=1)], {"x": x}, {"x": "f"}, {"l": "i", "p": "f"})
        write(f"regressor_{post}", [ml("LinearRegressor", ["x"], ["y"], coefficients=[0.1, 0.05, 0.02], intercepts=[0.5], targets=1, post_transform="NONE" if post == "PROBIT" else post)], {"x": x}, {"x": "f"}, {"y": "f"})
    trees = dict(nodes_treeids=[0, 0, 0, 0, 0, 1, 1, 1], nodes_nodeids=[0, 1, 2, 3, 4, 0, 1, 2], nodes_featureids=[0, 0, 1, 0, 0, 2, 0, 0], nodes_values=[0.2, 0.0, -0.5, 0.0, 0.0, 0.1, 0.0, 0.0],
                 nodes_modes=["BRANCH_LEQ", "LEAF", "BRANCH_GT", "LEAF", "LEAF", "BRANCH_LT", "LEAF", "LEAF"], nodes_truenodeids=[1, 0, 3, 0, 0, 1, 0, 0], nodes_falsenodeids=[2, 0, 4, 0, 0, 2, 0, 0], nodes_missing_value_tracks_true=[1, 0, 0, 0, 0, 1, 0, 0])
    leaves = dict(target_treeids=[0, 0, 0, 1, 1], target_nodeids=[1, 3, 4, 1, 2], target_ids=[0, 0, 0, 0, 0], target_weights=[1.0, 2.0, 3.5, 10.0, -20.0])
    holes = np.vstack([x, np.float32([[0.2, -0.5, 0.1], [np.nan, 0, 0], [np.nan, np.nan, np.nan], [np.nextafter(np.float32(0.2), np.float32(1)), -0.5, np.nextafter(np.float32(0.1), np.float32(0))]])])
    for function in ("SUM", "AVERAGE", "MIN", "MAX"):
        write(f"trees_{function}", [ml("TreeEnsembleRegressor", ["x"], ["y"], n_targets=1, aggregate_function=function, base_values=[0.25], **trees, **leaves)], {"x": holes}, {"x": "f"}, {"y": "f"})
    kernel = dict(kernel_params=[0.5, 0.1, 3.0], support_vectors=RNG.normal(size=12).tolist(), coefficients=RNG.normal(size=4).tolist(), n_supports=4, rho=[0.3])
    for kind in ("LINEAR", "POLY", "RBF", "SIGMOID"):
        for one in (0, 1):
            write(f"svr_{kind}_{one}", [ml("SVMRegressor", ["x"], ["y"], kernel_type=kind, one_class=one, **kernel)], {"x": x}, {"x": "f"}, {"y": "f"}, tolerance=1e-4)
    t = lambda name, kind, values: helper.make_tensor(name, kind, [len(values)], values)
    write("ensemble_v5", [ml("TreeEnsemble", ["x"], ["y"], n_targets=2, aggregate_function=1, post_transform=0, tree_roots=[0, 2], nodes_featureids=[0, 1, 2], nodes_splits=t("s", TensorProto.FLOAT, [0.2, -0.5, 0.1]),
          nodes_modes=t("m", TensorProto.UINT8, [0, 4, 1]), nodes_truenodeids=[0, 1, 3], nodes_trueleafs=[1, 1, 1], nodes_falsenodeids=[1, 2, 4], nodes_falseleafs=[0, 1, 1], nodes_missing_value_tracks_true=[1, 0, 1],
          leaf_targetids=[0, 1, 0, 1, 0], leaf_weights=t("w", TensorProto.FLOAT, [1.0, 2.0, 3.5, 10.0, -20.0]))], {"x": np.where(np.isnan(holes), 0, holes)}, {"x": "f"}, {"y": "f"}, ml=5, opset=21)


def beyond():
    """What is not evaluated by ourselves."""
    folder = OUT / "runtime"
    x = RNG.normal(size=(6, 4)).astype(np.float32)
    images = RNG.normal(size=(6, 1, 4, 4)).astype(np.float32)
    weights = helper.make_tensor("w", TensorProto.FLOAT, [2, 1, 3, 3], RNG.normal(size=18).tolist())
    write("convolution", [helper.make_node("Conv", ["x", "w"], ["c"]), helper.make_node("Flatten", ["c"], ["y"])], {"x": images}, {"x": "f"}, {"y": "f"}, shapes={"x": [None, 1, 4, 4]}, constants=[weights], folder=folder)
    write("elu", [helper.make_node("Elu", ["x"], ["e"]), helper.make_node("HardSwish", ["e"], ["y"])], {"x": x}, {"x": "f"}, {"y": "f"}, folder=folder)
    text = np.array([["Hello World"], ["the CAT"], [""]], dtype=object)
    write("joined_text", [helper.make_node("StringConcat", ["x", "x"], ["y"])], {"x": text}, {"x": "s"}, {"y": "s"}, folder=folder, opset=20)
    write("doubles", [helper.make_node("Shrink", ["x"], ["e"]), helper.make_node("Identity", ["e"], ["y"])], {"x": x.astype(np.float64)}, {"x": "d"}, {"y": "d"}, folder=folder)


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    encoders()
    numbers()
    networks()
    models()
    beyond()
    (OUT / "done").write_text("")


main()
