"""Fills a file store, with what users have in theirs."""

import mlflow
import numpy as np


class Echo(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input):
        return model_input


client = mlflow.MlflowClient()
flowers = client.create_experiment("flowers / roses", tags={"team": "ä b", "mlflow.note.content": "a\nb"})
mlflow.set_experiment(experiment_id=flowers)
with mlflow.start_run(run_name="first") as run:
    # Logged again when the model is: the file then has the line twice.
    mlflow.log_metric("m", 0.5)
    for step, value in enumerate([0.25, float("nan"), 1e-300, -7]):
        mlflow.log_metric("val/acc", value, step=step - 2)
    mlflow.log_params({"a/b c": "x\ny", "lr": 0.1})
    mlflow.set_tag("empty", "")
    mlflow.log_text("hello", "notes/a b.txt")
    data = mlflow.data.from_numpy(np.array([1, 2, 3]), name="three")
    mlflow.log_input(data, context="train")
    logged = mlflow.pyfunc.log_model(name="mod", python_model=Echo(), registered_model_name="Iris", params={"p": "1"})
    mlflow.log_metric("m2", 1.5, model_id=logged.model_id, dataset=data)
client.set_registered_model_alias("Iris", "Production", 1)
client.set_registered_model_tag("Iris", "k", "v")
client.update_registered_model("Iris", description="of flowers")
client.set_model_version_tag("Iris", 1, "w", "x")
client.create_model_version("Iris", f"{run.info.artifact_uri}/notes", run.info.run_id)
client.set_logged_model_tags(logged.model_id, {"kind": "echo"})
with mlflow.start_run(run_name="no") as gone:
    mlflow.log_metric("m", 1)
client.delete_run(gone.info.run_id)
trash = client.create_experiment("gone")
with mlflow.start_run(experiment_id=trash):
    mlflow.log_param("z", 1)
client.delete_experiment(trash)
with mlflow.start_run(experiment_id="0", run_name="in Default"):
    mlflow.log_metric("loss", 2, step=1)
