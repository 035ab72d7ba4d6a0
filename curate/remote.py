"""The path of a remote file: fsspec behind pathlib's methods, strict where a wrong answer would be wrong data."""

from __future__ import annotations

from upath.extensions import ProxyUPath

from curate.errors import StoreError


class RemotePath(ProxyUPath):
    """A path on any fsspec file system, whose listings are never cached."""

    def is_file(self, *, follow_symlinks: bool = True) -> bool:
        """True when there is such a file.

        Raises:
            StoreError: when the file system can't tell; it would otherwise pass for a file that is not there.
        """
        try:
            return bool(self.fs.info(self.path)["type"] == "file")
        except FileNotFoundError:
            return False
        except Exception as error:  # every file system has errors of its own
            raise StoreError(
                f"{self}: can't be reached ({type(error).__name__}: {error}); mend it and run the same command again: "
                "it resumes"
            ) from error
