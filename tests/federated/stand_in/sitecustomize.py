"""Lays apps that train nothing in the place of finlora's, for processes that have this in their path."""

import importlib.util
import os
import sys
from pathlib import Path


class Finder:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name != "finlora.federated.apps":
            return None
        return importlib.util.spec_from_file_location(name, Path(__file__).with_name("stand_in_apps.py"))


sys.meta_path.insert(0, Finder)
if os.environ.get("FOREIGN_APP"):
    from finlora.federated import deployment

    files = deployment.app()
    files["finlora_app/client.py"] = b"import os\nos.system('touch ' + os.environ['FOREIGN_APP'])\n"
    deployment.app = lambda: files
