"""Content parts of OpenAI messages as content blocks of the Messages API. Pure."""

import base64
import binascii
import re
from collections.abc import Iterator
from typing import Any

from apps.api.openai.fields import unsupported, wrong_type, wrong_value

Block = dict[str, Any]

MEDIA_TYPES = ("image/png", "image/jpeg", "image/gif", "image/webp")
MAX_IMAGE_BYTES = 5 * 1024 * 1024
MAX_IMAGES = 100
_DATA_URL = re.compile(r"data:(?P<media>[\w/+.-]+);base64,(?P<data>.*)", re.DOTALL | re.IGNORECASE)


def blocks(content: Any, *, param: str, images: bool) -> Iterator[Block]:
    """The blocks of a message's content, a string or a list of parts; blank text is left out, the API takes none.

    Only where `images` is true may a part be an image.
    """
    if isinstance(content, str):
        if content.strip():
            yield {"type": "text", "text": content}
        return
    if not isinstance(content, list):
        raise wrong_type(param, "a string or a list of content parts")
    for index, part in enumerate(content):
        block = _block(part, f"{param}[{index}]", images)
        if block is not None:
            yield block


def _block(part: Any, at: str, images: bool) -> Block | None:
    """One content part; None for blank text."""
    if not isinstance(part, dict):
        raise wrong_type(at, "an object")
    match part.get("type"):
        case "text" | "refusal" as kind:
            text = part.get(kind)
            if not isinstance(text, str):
                raise wrong_type(f"{at}.{kind}", "a string")
            return {"type": "text", "text": text} if text.strip() else None
        case "image_url":
            if not images:
                raise unsupported(at, "Images belong in user messages.")
            return _image(part.get("image_url"), param=f"{at}.image_url")
        case str(kind):
            message = f"Content parts of type '{kind}' are not supported; use text or image_url."
            raise unsupported(f"{at}.type", message)
        case _:
            raise wrong_type(f"{at}.type", "a string")


def _image(value: Any, *, param: str) -> Block:
    url = value.get("url") if isinstance(value, dict) else value
    param = f"{param}.url"
    if not isinstance(url, str):
        raise wrong_type(param, "a string")
    if url[:5].lower() != "data:":
        message = "Images are taken as data: URLs only (data:image/png;base64,…); this service fetches nothing."
        raise unsupported(param, message)
    found = _DATA_URL.fullmatch(url)
    if found is None:
        raise wrong_value(param, "A data: URL looks like data:image/png;base64,… here.")
    media = found["media"].lower().replace("image/jpg", "image/jpeg")
    if media not in MEDIA_TYPES:
        raise wrong_value(param, f"Images of type '{media}' are not supported; use {', '.join(MEDIA_TYPES)}.")
    data = "".join(found["data"].split())
    if len(data) * 3 // 4 > MAX_IMAGE_BYTES + 2:
        raise wrong_value(param, f"An image takes at most {MAX_IMAGE_BYTES // 1024**2} MB.")
    try:
        if not base64.b64decode(data, validate=True):
            raise wrong_value(param, "The image is empty.")
    except binascii.Error:
        raise wrong_value(param, "The image is not valid base64.") from None
    return {"type": "image", "source": {"type": "base64", "media_type": media, "data": data}}
