"""One file from its publisher, checked: whole and the right one, or not there at all."""

from pathlib import Path

from subsoil.errors import BadCall, ChecksumMismatch, MissingData

TIMEOUT = 30.0  # s without an answer


def download(url: str, path: Path | str, sha256: str, *, progress: bool = False) -> Path:
    """Download `url` to `path` unless it is there already with the right checksum.

    A bar on stderr shows the progress. What is at `path` is replaced only by a file that is right.

    Raises
    ------
    MissingData
        No connection, an error of the server, or a transfer that broke off; the message is the reason.
    ChecksumMismatch
        A whole file came and it is another one.
    BadCall
        The folder of `path` cannot be written.
    """
    import pooch
    from requests.exceptions import RequestException

    target = Path(path)
    downloader = pooch.HTTPDownloader(progressbar=progress, timeout=TIMEOUT)
    try:
        pooch.retrieve(url, f"sha256:{sha256}", target.name, target.parent, downloader=downloader)
    except RequestException as error:
        raise MissingData(_reason(error)) from error
    except ValueError as error:  # how pooch says that the checksum differs
        raise ChecksumMismatch(
            f"{url} sent another file than the registered one ({error}). If the publisher replaced it, "
            "download it by hand, look at it and pass its folder with --data DIR."
        ) from error
    except OSError as error:
        raise BadCall(f"cannot keep the download in {target.parent}: {error.strerror or error}") from error
    return target


def _reason(error: Exception) -> str:
    """Why the publisher could not be asked, in a few words instead of a chain of exceptions."""
    from requests.exceptions import ConnectionError, HTTPError, SSLError, Timeout

    if isinstance(error, HTTPError) and error.response is not None:
        return f"the server answered {error.response.status_code} {error.response.reason}"
    if isinstance(error, Timeout):
        return f"no answer within {TIMEOUT:.0f} s"
    if isinstance(error, SSLError):
        return "no secure connection"
    if isinstance(error, ConnectionError):
        return "no connection"
    return "the transfer broke off"
