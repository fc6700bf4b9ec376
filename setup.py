"""What pyproject.toml cannot say: the wheel carries the bundled history beside the code."""

from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

HERE = Path(__file__).parent


class WithHistory(build_py):
    """Build the packages, and put data/bundled into the wheel as index/bundled.

    Without it an installed ``spotfix run`` would have nothing to read. An editable installation
    reads the folder where it is.
    """

    def run(self) -> None:
        """Build the packages, then copy the tables and what is said of their rights."""
        super().run()
        if self.editable_mode:
            return
        target = Path(self.build_lib, "index", "bundled")
        self.mkpath(str(target))
        for file in (*sorted((HERE / "data" / "bundled").glob("*")), HERE / "data" / "README.md"):
            self.copy_file(str(file), str(target / file.name))


setup(cmdclass={"build_py": WithHistory})
