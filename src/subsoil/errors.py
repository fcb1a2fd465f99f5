"""Everything that can go wrong, in one tree.

SubsoilError
├── BadCall           an argument is wrong: what was expected, what came, the usual fix
├── UnreadableFile    a file cannot be read at all (a bad *row* goes to the rejects instead)
├── MissingData       a data set is neither on disk nor reachable
├── ChecksumMismatch  a file is not the one that the registry names
├── MissingExtra      an optional library is not installed
└── NotConverged      a sampler or optimiser did not reach its criterion

A numerical failure inside a batch is not an exception but a named outcome in
the result; ``NotConverged`` is raised only where a caller asked with ``throw=True``.
"""


class SubsoilError(Exception):
    """Base of every error this package raises on purpose; ``exit_code`` is what the command line returns."""

    exit_code = 1


class BadCall(SubsoilError, ValueError):
    """An argument is out of range, of the wrong shape or unknown."""

    exit_code = 2


class UnreadableFile(SubsoilError):
    """The file is truncated, hostile, empty or of another format."""

    exit_code = 3


class MissingData(SubsoilError):
    """A data set was looked for in every place and not found."""

    exit_code = 4


class ChecksumMismatch(SubsoilError):
    """File, expected and found checksum are in the message."""

    exit_code = 4


class MissingExtra(SubsoilError, ImportError):
    """An optional dependency is absent; the message holds the install command."""

    exit_code = 5


class NotConverged(SubsoilError):
    """The sampler's diagnostics miss the limits."""

    exit_code = 6
