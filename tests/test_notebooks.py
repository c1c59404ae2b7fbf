"""What every notebook keeps to: no stored output, one parameters cell, short cells, nothing defined in it."""

import ast
import json
import re

import nbformat
import pytest

from ser_core._utils import paths

NOTEBOOKS = sorted((paths.root() / "notebooks").glob("*.ipynb"))
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
    """The Python of a cell, without IPython's own lines."""
    return "\n".join(line for line in cell.source.splitlines() if not line.lstrip().startswith(("%", "!")))


def test_the_notebooks_of_the_report_are_there():
    names = {path.stem for path in NOTEBOOKS}
    assert {"01_corpora", "02_signal_and_features", "03_training", "11_hardware_timing"} <= names


def test_it_is_valid_and_has_stable_cell_ids(path, notebook):
    nbformat.validate(notebook)
    assert (notebook.nbformat, notebook.nbformat_minor) >= (4, 5)
    ids = [cell.id for cell in notebook.cells]
    assert len(set(ids)) == len(ids)


def test_it_is_stripped(notebook):
    for cell in code(notebook):
        assert cell.outputs == [] and cell.execution_count is None
    for cell in notebook.cells:
        assert set(cell.metadata) <= {"tags"}


def test_its_metadata_names_no_machine(notebook):
    assert notebook.metadata == {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }


def test_it_has_one_parameters_cell_with_profile_and_quick(notebook):
    (cell,) = [cell for cell in code(notebook) if "parameters" in cell.metadata.get("tags", [])]
    assert cell is code(notebook)[0]
    assigned = {node.targets[0].id: node.value for node in ast.parse(cell.source).body if isinstance(node, ast.Assign)}
    assert ast.literal_eval(assigned["profile"]) == "demo"
    assert ast.unparse(assigned["quick"]) == "os.environ.get('SER_QUICK') == '1'"


def test_its_title_bears_its_number_and_its_sections_too(path, notebook):
    number = str(int(path.stem.split("_")[0]))
    assert notebook.cells[0].cell_type == "markdown"
    assert re.match(rf"# {number}\. \S", notebook.cells[0].source)
    assert "you will see" in notebook.cells[0].source
    markdown = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
    sections = re.findall(r"^## (\S+)", "\n".join(markdown), flags=re.MULTILINE)
    assert sections == [f"{number}.{place}" for place in range(1, len(sections) + 1)]


def test_each_section_ends_with_a_sentence_made_from_the_data(notebook):
    starts = [i for i, cell in enumerate(notebook.cells) if cell.source.startswith("## ")]
    assert starts
    for after in [*starts[1:], len(notebook.cells)]:
        last = notebook.cells[after - 1]
        assert last.cell_type == "code" and "Markdown(" in last.source, last.source


def test_its_cells_are_short(notebook):
    for cell in code(notebook):
        lines = cell.source.splitlines()
        assert len(lines) <= LONGEST_CELL, lines[0]


def test_it_defines_nothing(notebook):
    for cell in code(notebook):
        for node in ast.walk(ast.parse(python(cell))):
            assert not isinstance(node, ast.ClassDef), node.name
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                assert node.end_lineno - node.lineno < LONGEST_FUNCTION, node.name


def test_it_takes_no_path_from_where_it_is_started(notebook):
    for cell in code(notebook):
        assert not re.search(r"os\.chdir|getcwd|Path\.cwd|sys\.path|\.\./", cell.source)


def test_it_has_no_formula_and_no_diagram_that_a_page_would_fetch_a_script_for(notebook):
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            assert "$$" not in cell.source and "```mermaid" not in cell.source
            assert not re.search(r"(?<!\\)\$[^$\n]+\$", cell.source), cell.source


def test_it_is_written_as_nbformat_writes_it(path):
    """So that opening and saving it changes nothing but outputs."""
    text = path.read_text(encoding="utf-8")
    assert json.loads(text) and text.endswith("}\n")
    assert text == nbformat.writes(nbformat.reads(text, as_version=4)) + "\n"
