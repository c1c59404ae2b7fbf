"""A network defined in a notebook: after an edit of it, or of a helper that it uses, it is trained again."""

import nbformat

from ser_core.report import execution

START = "import os, keras, ser_core as ser\nfrom ser_core.experiments.spec import Spec\nunits = 4"
HELPER = (
    "def middle(x):\n    return keras.layers.Dense(units, {activation!r})(keras.layers.GlobalAveragePooling1D()(x))"
)
BUILDER = (
    "def small(shape, classes):\n    i = keras.Input(shape)\n"
    "    return keras.Model(i, keras.layers.Dense(classes, 'softmax'{extra})(middle(i)))"
)
RUN = """
setting = {"corpus": "demo", "augment": "", "epochs": 1, "features": "13", "frames": 40, "batch": 128}
options = setting | {"progress": False}
by_function = ser.run(model=small, **options)
by_name = ser.run(Spec(model="__main__:small", **setting), progress=False)
print(by_function.hash, by_name.hash, by_function.parameters)
"""


def test_an_edited_network_or_helper_of_a_notebook_is_another_result(own_store, tmp_path):
    helper, builder = HELPER.format(activation="relu"), BUILDER.format(extra="")
    cells = [START, helper, builder, RUN, RUN]
    cells += [BUILDER.format(extra=", use_bias=False"), RUN]  # the builder is edited
    cells += [HELPER.format(activation="tanh"), RUN]  # then a helper in another cell
    cells += ["units = 5", RUN]  # then a value that the helper uses
    cells += [helper + "\n", builder, "units = 4", RUN]  # and all is as at first
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    book.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    source, target = tmp_path / "book.ipynb", tmp_path / "done.ipynb"
    nbformat.write(book, source)
    assert execution.execute(source, target, {}) == ""
    cells = nbformat.read(target, 4).cells
    outputs = [output for cell in cells if cell.source.strip() == RUN.strip() for output in cell.outputs]
    printed = [output["text"].split() for output in outputs if output.get("name") == "stdout"]
    assert len(printed) == 6 and all(function == name for function, name, _ in printed)
    first, again, edited, other_helper, other_value, back = (line[0] for line in printed)
    assert first == again == back and len({first, edited, other_helper, other_value}) == 4
    weights = [int(line[2]) for line in printed]
    assert weights == [weights[0], weights[0], weights[0] - 8, weights[0] - 8, 14 * 5 + 5 * 8, weights[0]]
