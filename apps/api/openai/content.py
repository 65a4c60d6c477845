"""Content parts of OpenAI messages as content blocks of the Messages API. Pure."""

import base64
import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from apps.api.openai.fields import text, unsupported, wrong_type, wrong_value

Block = dict[str, Any]

MEDIA_TYPES = ("image/png", "image/jpeg", "image/gif", "image/webp")
MAX_IMAGE_BYTES = 5 * 1024 * 1024
MAX_IMAGES = 100
LONGEST_URL = 2_048
_DATA_URL = re.compile(r"data:(?P<media>[\w/+.-]+)(?:;charset=[\w-]+)?;base64,(?P<data>.*)", re.DOTALL | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Media:
    """What a message may hold besides text."""

    allowed: bool = True
    remote_images: bool = False
    """Whether images may be named by an https URL; their source is then of type `url`, for whoever fetches them."""


NO_MEDIA = Media(allowed=False)


def blocks(content: Any, *, param: str, media: Media) -> Iterator[Block]:
    """The blocks of a message's content, a string or a list of parts; blank text is left out, the API takes none."""
    if isinstance(content, str):
        if content.strip():
            yield {"type": "text", "text": content}
        return
    if not isinstance(content, list):
        raise wrong_type(param, "a string or a list of content parts")
    for index, part in enumerate(content):
        block = _block(part, f"{param}[{index}]", media)
        if block is not None:
            yield block


def _block(part: Any, at: str, media: Media) -> Block | None:
    """One content part; None for blank text."""
    if not isinstance(part, dict):
        raise wrong_type(at, "an object")
    match part.get("type"):
        case "text" | "refusal" as kind:
            said = part.get(kind)
            if not isinstance(said, str):
                raise wrong_type(f"{at}.{kind}", "a string")
            return {"type": "text", "text": said} if said.strip() else None
        case "image_url" | "file" if not media.allowed:
            raise unsupported(at, "Images and files belong in messages of the user and in results of functions.")
        case "image_url":
            return _image(part.get("image_url"), media, param=f"{at}.image_url")
        case "file":
            return _file(part.get("file"), param=f"{at}.file")
        case str(kind):
            message = f"Content parts of type '{kind}' are not supported; use text, image_url or file."
            raise unsupported(f"{at}.type", message)
        case _:
            raise wrong_type(f"{at}.type", "a string")


def _image(value: Any, media: Media, *, param: str) -> Block:
    url = value.get("url") if isinstance(value, dict) else value
    param = f"{param}.url"
    if not isinstance(url, str):
        raise wrong_type(param, "a string")
    return image(url, media, param=param)


def image(url: str, media: Media, *, param: str) -> Block:
    """The block of an image's URL. Raises ApiError."""
    if media.remote_images and url[:8].lower() == "https://" and len(url) <= LONGEST_URL:
        return {"type": "image", "source": {"type": "url", "url": url}}
    if url[:5].lower() != "data:":
        taken = "data: URLs (data:image/png;base64,…)"
        why = f"{taken} and https:// ones" if media.remote_images else f"{taken} only; this service fetches nothing"
        raise unsupported(param, f"Images are taken as {why}.")
    if len(url) * 3 // 4 > MAX_IMAGE_BYTES + 64:
        raise wrong_value(param, f"An image takes at most {MAX_IMAGE_BYTES // 1024**2} MB.")
    kind, data = _decoded(url, param)
    kind = kind.replace("image/jpg", "image/jpeg")
    if kind not in MEDIA_TYPES:
        raise wrong_value(param, f"Images of type '{kind}' are not supported; use {', '.join(MEDIA_TYPES)}.")
    return {"type": "image", "source": {"type": "base64", "media_type": kind, "data": data}}


def _file(value: Any, *, param: str) -> Block:
    if not isinstance(value, dict):
        raise wrong_type(param, "an object")
    if value.get("file_id"):
        raise unsupported(f"{param}.file_id", "There are no stored files here; send the file itself as 'file_data'.")
    url, name = value.get("file_data"), text(value, "filename", longest=500, param=f"{param}.filename")
    if not isinstance(url, str):
        raise wrong_type(f"{param}.file_data", "a string")
    return document(url, name, param=f"{param}.file_data")


def document(url: str, name: str | None, *, param: str) -> Block:
    """The block of a file in a data: URL: a PDF, or text. Raises ApiError."""
    media, data = _decoded(url, param)
    titled = {"title": name} if name else {}
    if media == "application/pdf":
        return {"type": "document", "source": {"type": "base64", "media_type": media, "data": data}, **titled}
    if not media.startswith("text/") and media != "application/json":
        raise wrong_value(param, f"Files of type '{media}' are not supported; use application/pdf or text.")
    try:
        said = base64.b64decode(data).decode()
    except UnicodeDecodeError:
        raise wrong_value(param, "A file of text is UTF-8.") from None
    if not said.strip():
        raise wrong_value(param, "The file is empty.")
    return {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": said}, **titled}


def _decoded(url: str, param: str) -> tuple[str, str]:
    """Media type and checked base64 of a data: URL."""
    found = _DATA_URL.fullmatch(url)
    if found is None:
        raise wrong_value(param, "A data: URL looks like data:image/png;base64,… here.")
    data = "".join(found["data"].split())
    try:
        if not base64.b64decode(data, validate=True):
            raise wrong_value(param, "It is empty.")
    except binascii.Error:
        raise wrong_value(param, "It is not valid base64.") from None
    return found["media"].lower(), data
