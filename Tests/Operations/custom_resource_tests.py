"""Whether what is not Kubernetes' own is written as its operators read it; they ignore a field that they do not know."""

import copy
import unittest

import yaml
from jsonschema import Draft202012Validator
from manifests import ROOT, documents

SCHEMAS = yaml.safe_load((ROOT / "Tests/Operations/custom_resources.yaml").read_text())


def mistakes(document):
    """What is wrong with a document, in words; None where it is none of these kinds."""
    schema = SCHEMAS.get(f"{document['apiVersion']} {document['kind']}")
    if schema is None:
        return None
    validator = Draft202012Validator({**schema, "$defs": SCHEMAS["$defs"]})
    found = [f"{error.json_path}: {error.message}" for error in validator.iter_errors(document["spec"])]
    extra = document.keys() - {"apiVersion", "kind", "metadata", "spec"}
    return found + [f"{document['kind']} has no {name}" for name in sorted(extra)]


class CustomResources(unittest.TestCase):
    def found(self):
        return [document for document in documents("production") if mistakes(document) is not None]

    def test_each_is_there_and_has_only_fields_that_its_operator_knows(self):
        kinds = {f"{document['apiVersion']} {document['kind']}" for document in self.found()}
        self.assertEqual(kinds, SCHEMAS.keys() - {"$defs"})
        for document in self.found():
            self.assertEqual(mistakes(document), [], document["kind"])

    def test_none_is_without_a_schema(self):
        owners = {"", "apps", "autoscaling", "batch", "policy", "networking.k8s.io"}
        for document in documents("production"):
            group = document["apiVersion"].rpartition("/")[0]
            self.assertTrue(group in owners or mistakes(document) is not None, f"{group} {document['kind']}")

    def test_a_misspelt_field_is_found_wherever_it_is(self):
        for document in self.found():
            for path in list(fields(document["spec"])):
                broken = copy.deepcopy(document)
                owner = broken["spec"]
                for step in path[:-1]:
                    owner = owner[step]
                owner[path[-1] + "s"] = owner.pop(path[-1])
                self.assertTrue(mistakes(broken), f"{document['kind']}: {path} may be misspelt")


def fields(value, path=()):
    """The ways to all fields, but for those whose names are free."""
    if isinstance(value, dict) and path[-1:] not in (("labels",), ("annotations",), ("matchLabels",)):
        for name, inner in value.items():
            yield (*path, name)
            yield from fields(inner, (*path, name))
    if isinstance(value, list):
        for index, inner in enumerate(value):
            yield from fields(inner, (*path, index))


if __name__ == "__main__":
    unittest.main()
