"""Which models a key may use. The rules are the profile's; this only asks them."""

from apps.api.openai.requests import AUTO_MODEL
from apps.claude.catalog import MODELS, ModelInfo
from apps.jobs.routes import AUTO
from apps.keys.models import ApiKey
from apps.permissions.models import Profile
from apps.permissions.policy import Policy, models_allowed
from apps.routing.scoring import TIERS


def usable_models(key: ApiKey) -> dict[str, ModelInfo]:
    """The models that the key may use, by alias and by full id, aliases first; `auto` if it may use any tier."""
    by_names = {_names(model): model for model in MODELS}
    usable = [by_names[names] for names in models_allowed(policy_of(key), by_names)]
    aliases = {model.alias: model for model in usable if model.alias}
    routed = {AUTO: AUTO_MODEL} if aliases.keys() & {*TIERS} else {}
    return aliases | routed | {model.id: model for model in usable}


def policy_of(key: ApiKey) -> Policy:
    """The rules that the key is under."""
    return (key.profile or Profile.objects.default()).policy()


def _names(model: ModelInfo) -> tuple[str, ...]:
    return (model.id, model.alias) if model.alias else (model.id,)
