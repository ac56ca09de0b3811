"""Whether every test that docs/threat-model.md and SECURITY.md name exists."""

import ast
import re
import unittest

from manifests import ROOT, text

PAGES = ("docs/threat-model.md", "SECURITY.md")
SWIFT_SUITE = re.compile(r"^(?:struct|final class|actor|enum|extension) (\w+)", re.MULTILINE)
SWIFT_TEST = re.compile(r"@Test\b.*?\bfunc (\w+)", re.DOTALL)


def swift_tests():
    """{suite: its tests}, of all files that have some; each suite with and without its module."""
    found = {}
    for path in (ROOT / "Tests").rglob("*.swift"):
        source = path.read_text()
        tests = set(SWIFT_TEST.findall(source))
        module = next((part for part in path.parts[::-1][1:] if part.endswith("Tests") and part != "Tests"), "")
        for suite in SWIFT_SUITE.findall(source) if tests else []:
            found.setdefault(suite, set()).update(tests)
            found.setdefault(f"{module}.{suite}", set()).update(tests)
    return found


def python_tests():
    """{module: {class: its tests}}."""
    found = {}
    for path in (ROOT / "Tests").rglob("*test*.py"):
        classes = [node for node in ast.parse(path.read_text()).body if isinstance(node, ast.ClassDef)]
        found[path.stem] = {
            each.name: {node.name for node in each.body if isinstance(node, ast.FunctionDef)} for each in classes
        }
    return found


def named_tests(page):
    """The names in the last column of the tables that have a column for tests."""
    names, is_table = [], False
    for line in text(page).splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split(" | ")]
        if not line.startswith("|"):
            is_table = False
        elif cells[-1] in ("tests", "shown by"):
            is_table = True
        elif is_table and not set(line) <= set("|- "):
            names.append((line, re.findall(r"`([^`]+)`", cells[-1]), re.sub(r"`[^`]+`|[,\s]", "", cells[-1])))
    return names


class ThreatModel(unittest.TestCase):
    def test_every_threat_has_a_test_and_every_test_exists(self):
        swift, python = swift_tests(), python_tests()
        targets = set(re.findall(r"^([a-z-]+):", text("Makefile"), re.MULTILINE))
        for page in PAGES:
            rows = named_tests(page)
            self.assertTrue(rows, page)
            for line, names, rest in rows:
                self.assertTrue(names and not rest, f"{page}: no test, or a name that is no code: {line}")
                missing = [name for name in names if not self.exists(name, swift, python, targets)]
                self.assertEqual(missing, [], f"{page}: {line}")

    def exists(self, name, swift, python, targets):
        if name.startswith("make "):
            return name.removeprefix("make ") in targets
        if "/" in name:
            return (ROOT / name).exists()
        first, *rest = name.split(".")
        if first in python:
            return not rest or rest[0] in python[first] and (len(rest) == 1 or rest[1] in python[first][rest[0]])
        suite, _, test = name.rpartition(".")
        return name in swift or suite in swift and test in swift[suite]

    def test_what_does_not_exist_is_found(self):
        swift, python = {"TicketTests": {"forged"}}, {"test_page": {"Rendering": {"test_one"}}}
        for name in ("TicketTests", "TicketTests.forged", "test_page.Rendering.test_one", "make test", "Makefile/.."):
            self.assertEqual(self.exists(name, swift, python, {"test"}), name != "Makefile/..", name)
        for name in ("TokenTests", "TicketTests.lost", "test_page.Other", "test_page.Rendering.test_two", "make tea"):
            self.assertFalse(self.exists(name, swift, python, {"test"}), name)


if __name__ == "__main__":
    unittest.main()
