"""Which models a key may use. The rules are the profile's; this only asks them."""

from apps.api.problems import ApiError, Problem
from apps.claude.catalog import MODELS, ModelInfo, find
from apps.keys.models import ApiKey
from apps.permissions.models import Profile
from apps.permissions.policy import Policy, judge, models_allowed
from apps.permissions.refs import ref
from apps.permissions.verdict import Reason


def usable_models(key: ApiKey) -> dict[str, ModelInfo]:
    """The models that the key may use, by alias and by full id, aliases first."""
    by_names = {_names(model): model for model in MODELS}
    usable = [by_names[names] for names in models_allowed(_policy(key), by_names)]
    aliases = {model.alias: model for model in usable if model.alias}
    return aliases | {model.id: model for model in usable}


def require_model(key: ApiKey, model_id: str) -> None:
    """Raise ApiError (403) with the profile's reason if the key may not use the model."""
    model = find(model_id)
    if model is None:
        return
    verdict = judge(_policy(key), ref("model", *_names(model)))
    if isinstance(verdict, Reason):
        raise ApiError(Problem(403, f"{verdict.message}.", "model_not_allowed", "model"))


def _policy(key: ApiKey) -> Policy:
    return (key.profile or Profile.objects.default()).policy()


def _names(model: ModelInfo) -> tuple[str, ...]:
    return (model.id, model.alias) if model.alias else (model.id,)
