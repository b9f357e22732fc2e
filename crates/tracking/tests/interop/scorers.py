"""Scorers by MLflow's own client: registered, listed, loaded and removed."""

import mlflow
from mlflow.exceptions import MlflowException
from mlflow.genai.judges import make_judge
from mlflow.genai.scorers import Guidelines, delete_scorer, get_scorer, list_scorers
from mlflow.genai.scorers.registry import list_scorer_versions

experiment_id = mlflow.create_experiment("judged")
other = mlflow.create_experiment("not judged")
assert list_scorers(experiment_id=experiment_id) == []

judge = make_judge(name="polite", instructions="Is {{ outputs }} polite?", model="openai:/gpt-4o", feedback_value_type=bool)
first = judge.register(experiment_id=experiment_id)
assert first.name == "polite"
judge.register(experiment_id=experiment_id)
Guidelines(name="short/and sweet", guidelines="Be brief", model="openai:/gpt-4o").register(experiment_id=experiment_id)

found = list_scorers(experiment_id=experiment_id)
assert [one.name for one in found] == ["polite", "short/and sweet"], found
assert list_scorers(experiment_id=other) == []
assert [version for _, version in list_scorer_versions(name="polite", experiment_id=experiment_id)] == [1, 2]
loaded = get_scorer(name="polite", experiment_id=experiment_id)
assert loaded.instructions == judge.instructions and loaded.model == judge.model
assert get_scorer(name="polite", experiment_id=experiment_id, version=1).name == "polite"
loaded = get_scorer(name="short/and sweet", experiment_id=experiment_id)
assert loaded.guidelines == "Be brief"

def refused(code, call, **named):
    try:
        call(**named)
    except MlflowException as error:
        assert error.error_code == code, (error.error_code, str(error))
    else:
        raise AssertionError(f"{call} was not refused")

refused("RESOURCE_DOES_NOT_EXIST", get_scorer, name="polite", experiment_id=experiment_id, version=7)
refused("RESOURCE_DOES_NOT_EXIST", get_scorer, name="rude", experiment_id=experiment_id)
refused("RESOURCE_DOES_NOT_EXIST", list_scorers, experiment_id="12345")
gateway = make_judge(name="far", instructions="{{ outputs }}?", model="gateway:/x", feedback_value_type=bool)
refused("RESOURCE_DOES_NOT_EXIST", gateway.register, experiment_id=experiment_id)

delete_scorer(name="polite", experiment_id=experiment_id, version=2)
assert [version for _, version in list_scorer_versions(name="polite", experiment_id=experiment_id)] == [1]
delete_scorer(name="polite", experiment_id=experiment_id, version="all")
assert [one.name for one in list_scorers(experiment_id=experiment_id)] == ["short/and sweet"]
refused("RESOURCE_DOES_NOT_EXIST", delete_scorer, name="polite", experiment_id=experiment_id, version="all")
mlflow.delete_experiment(experiment_id)
refused("INVALID_PARAMETER_VALUE", list_scorers, experiment_id=experiment_id)
print("ok")
