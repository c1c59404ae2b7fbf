"""Rules for every notebook: no stored output, one parameters cell, the front door, short cells, no definitions."""

import ast
import importlib
import json
import re
from types import ModuleType

import nbformat
import pytest

from ser_core._utils import paths

NOTEBOOKS = sorted((paths.root() / "notebooks").glob("*.ipynb"))
IMPORTS = {"decimal", "IPython.display", "keras", "numpy", "os", "pandas"}
"""What a notebook may import besides the front door."""
LONGEST_CELL = 25  # lines
LONGEST_FUNCTION = 3


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def path(request):
    return request.param


@pytest.fixture
def notebook(path):
    return nbformat.read(path, as_version=4)


def code(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def python(cell):
    """Return the Python of a cell, without IPython's own lines."""
    return "\n".join(line for line in cell.source.splitlines() if not line.lstrip().startswith(("%", "!")))


def tree(notebook):
    """Parse all code of a notebook."""
    return ast.parse("\n".join(python(cell) for cell in code(notebook)))


def test_notebooks_are_numbered_without_gap():
    assert [path.stem[:3] for path in NOTEBOOKS] == [f"{number:02}_" for number in range(14)]


def test_the_first_notebook_links_to_all_others():
    text = NOTEBOOKS[0].read_text(encoding="utf-8")
    assert re.findall(r"\((\d\d_\w+\.ipynb)\)", text) == [path.name for path in NOTEBOOKS[1:]]


def test_notebook_imports_only_the_front_door_of_the_suite(notebook):
    imported = set()
    for node in ast.walk(tree(notebook)):
        if isinstance(node, ast.Import):
            imported |= {(name.name, name.asname) if name.name == "ser_core" else name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add(node.module)
    assert ("ser_core", "ser") in imported
    assert imported - {("ser_core", "ser")} <= IMPORTS


def test_notebook_uses_names_that_exist_in_the_suite(notebook):
    for node in ast.walk(tree(notebook)):
        if isinstance(node, ast.Attribute) and re.fullmatch(r"ser(\.\w+)+", ast.unparse(node)):
            place = importlib.import_module("ser_core")
            for name in ast.unparse(node).split(".")[1:]:
                if isinstance(place, ModuleType):
                    place = getattr(place, name)


def test_no_function_is_defined_in_two_notebooks():
    functions = []
    for path in NOTEBOOKS:
        nodes = ast.walk(tree(nbformat.read(path, as_version=4)))
        functions += {node.name for node in nodes if isinstance(node, ast.FunctionDef)}
    assert len(functions) == len(set(functions))


def test_notebook_is_valid_and_has_stable_cell_ids(path, notebook):
    nbformat.validate(notebook)
    assert (notebook.nbformat, notebook.nbformat_minor) >= (4, 5)
    ids = [cell.id for cell in notebook.cells]
    assert len(set(ids)) == len(ids)


def test_notebook_has_no_stored_output(notebook):
    for cell in code(notebook):
        assert cell.outputs == [] and cell.execution_count is None
    for cell in notebook.cells:
        assert set(cell.metadata) <= {"tags"}


def test_metadata_names_only_the_kernel(notebook):
    assert notebook.metadata == {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }


def test_notebook_has_one_parameters_cell_with_profile_and_quick(notebook):
    (cell,) = [cell for cell in code(notebook) if "parameters" in cell.metadata.get("tags", [])]
    assert cell is code(notebook)[0]
    assigned = {node.targets[0].id: node.value for node in ast.parse(cell.source).body if isinstance(node, ast.Assign)}
    assert ast.literal_eval(assigned["profile"]) == "demo"
    assert ast.unparse(assigned["quick"]) == "os.environ.get('SER_QUICK') == '1'"


def test_title_and_sections_are_numbered(path, notebook):
    number = str(int(path.stem.split("_")[0]))
    assert notebook.cells[0].cell_type == "markdown"
    assert re.match(rf"# {number}\. \S", notebook.cells[0].source)
    assert "you will see" in notebook.cells[0].source
    markdown = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
    sections = re.findall(r"^## (\S+)", "\n".join(markdown), flags=re.MULTILINE)
    assert sections == [f"{number}.{place}" for place in range(1, len(sections) + 1)]


def test_each_section_ends_with_a_computed_sentence(notebook):
    starts = [i for i, cell in enumerate(notebook.cells) if cell.source.startswith("## ")]
    assert starts
    for after in [*starts[1:], len(notebook.cells)]:
        last = notebook.cells[after - 1]
        assert last.cell_type == "code" and "Markdown(" in last.source, last.source


def test_cells_are_short(notebook):
    for cell in code(notebook):
        lines = cell.source.splitlines()
        assert len(lines) <= LONGEST_CELL, lines[0]


def test_notebook_defines_no_class_and_no_long_function(notebook):
    for cell in code(notebook):
        for node in ast.walk(ast.parse(python(cell))):
            assert not isinstance(node, ast.ClassDef), node.name
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                assert node.end_lineno - node.lineno < LONGEST_FUNCTION, node.name


def test_notebook_does_not_depend_on_the_working_directory(notebook):
    for cell in code(notebook):
        assert not re.search(r"os\.chdir|getcwd|Path\.cwd|sys\.path|\.\./", cell.source)


def test_notebook_has_no_formula_or_diagram_that_needs_a_script(notebook):
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            assert "$$" not in cell.source and "```mermaid" not in cell.source
            assert not re.search(r"(?<!\\)\$[^$\n]+\$", cell.source), cell.source


def test_notebook_is_written_as_nbformat_writes_it(path):
    """Opening and saving a notebook then changes only its outputs."""
    text = path.read_text(encoding="utf-8")
    assert json.loads(text) and text.endswith("}\n")
    assert text == nbformat.writes(nbformat.reads(text, as_version=4)) + "\n"
