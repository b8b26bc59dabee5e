"""a2keras: double attention for Keras. The rooms of the repository become one namespace."""

import re
from pathlib import Path

from setuptools import setup

ROOT = Path(__file__).parent
VERSION = re.search(r'__version__ = "(.+)"', (ROOT / "a2keras/__init__.py").read_text()).group(1)
# Where the repository can be seen: the one line to change once it has a public address. Names below
# .example are nobody's (RFC 2606); `make release` says so as long as this is one.
HOME = "https://a2keras.example"


def with_addresses(text: str) -> str:
    """Markdown whose links and pictures lead from anywhere to files of this version."""

    def absolute(match: re.Match) -> str:
        target = match[1]
        if target is None:  # a block of code
            return match[0]
        kind = "raw" if target.endswith(".png") else "blob"
        return f"]({HOME}/{kind}/v{VERSION}/{target})"

    return re.sub(r"^```.*?^```|\]\((?![a-z]+:|#)([^)\s]+)\)", absolute, text, flags=re.M | re.S)


setup(
    name="a2keras",
    version=VERSION,
    description="Double attention (A²-Nets) for Keras: layer, networks, training and export",
    long_description=with_addresses((ROOT / "README.md").read_text(encoding="utf-8")),
    long_description_content_type="text/markdown",
    author="The a2keras authors",
    license_expression="Apache-2.0",
    license_files=["LICENSE"],
    keywords=[
        "keras",
        "tensorflow",
        "jax",
        "pytorch",
        "attention",
        "double attention",
        "A2-Nets",
        "image classification",
        "video classification",
        "action recognition",
        "litert",
        "onnx",
        "openvino",
    ],
    project_urls={
        "Homepage": HOME,
        "Documentation": f"{HOME}/blob/v{VERSION}/README.md",
        "Changelog": f"{HOME}/blob/v{VERSION}/CHANGELOG.md",
        "Issues": f"{HOME}/issues",
    },
    classifiers=[
        "Development Status :: 5 - Production/Stable",
        "Environment :: Console",
        "Environment :: GPU :: NVIDIA CUDA",
        "Intended Audience :: Developers",
        "Intended Audience :: Science/Research",
        "Operating System :: POSIX :: Linux",
        "Programming Language :: Python :: 3 :: Only",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
        "Topic :: Scientific/Engineering :: Image Recognition",
        "Typing :: Typed",
    ],
    python_requires=">=3.11",
    package_dir={
        "a2keras": "a2keras",
        "a2keras.models": "models",
        "a2keras.training": "training",
        "a2keras.export": "export",
    },
    packages=[
        "a2keras",
        "a2keras.models",
        "a2keras.models.commands",
        "a2keras.models.preprocessing",
        "a2keras.models.weights",
        "a2keras.training",
        "a2keras.training.ablation",
        "a2keras.training.commands",
        "a2keras.training.compute",
        "a2keras.training.data",
        "a2keras.training.data.lists",
        "a2keras.training.data.records",
        "a2keras.training.data.views",
        "a2keras.training.evaluation",
        "a2keras.training.explanation",
        "a2keras.training.interface",
        "a2keras.training.prepare",
        "a2keras.training.recipes",
        "a2keras.training.run",
        "a2keras.export",
        "a2keras.export.benchmark",
        "a2keras.export.commands",
        "a2keras.export.interface",
        "a2keras.export.litert",
        "a2keras.export.reading",
        "a2keras.export.serving",
        "a2keras.export.web",
    ],
    package_data={
        "a2keras": ["py.typed"],
        "a2keras.models": ["__init__.pyi"],
        "a2keras.models.weights": [
            "labels/*",  # names of classes of published weights
            "trained/*/*",  # weights of docs/results.md, each with its card
        ],
        "a2keras.export.web": ["page/*"],  # of `a2keras export --formats=web`
    },
    install_requires=[
        "absl-py>=2.1",
        "ai-edge-litert>=2.3",  # what tf.lite.Interpreter has become
        "litert-quantizer>=0.11",
        "av>=14",
        "keras>=3.15,<4",
        "matplotlib>=3.8",
        "numpy>=1.26",
        "packaging>=22",  # `a2keras check`: whether a version is one of those that are required
        "pillow>=10",
        "pydantic>=2.10",  # the records that JSON files must hold
        "rich>=13",  # tables; Keras needs it, too
        "scikit-learn>=1.4",  # folds by groups; its bundled digits are the data of `a2keras demo`
        "scipy>=1.11",  # Student's t; scikit-learn needs it, too
        "tensorflow>=2.17.1,<2.22",
        "tensorflow-datasets>=4.9.6",
        "tqdm>=4.66",
    ],
    extras_require={
        # tensorflow-io 0.37.1's native library loads with TensorFlow 2.16 and 2.17 only.
        # Later metadata needs a newer protobuf than these have, without saying so.
        "io": ["tensorflow-io==0.37.1", "tensorflow>=2.17.1,<2.18", "tensorflow-metadata<1.18"],
        # s3://, gs:// and http:// by fsspec, with any TensorFlow.
        "cloud": [
            "aiohttp>=3.9",
            "fsspec>=2024.10",
            "gcsfs>=2024.10",
            "s3fs>=2024.10",
            "universal-pathlib>=0.3",
        ],
        "jax": ["jax>=0.4.34"],
        # The newest tf2onnx, the first that knows NumPy 2, and what runs its files.
        "onnx": ["onnx>=1.17", "onnxruntime>=1.20", "tf2onnx>=1.17"],
        "openvino": ["openvino>=2026.0"],
        "prepare": ["apache-beam>=2.70,<3"],
        "torch": ["torch>=2.4"],
        # MLflow's client, with what its own default, a file of SQLite, needs.
        "track": ["alembic>=1.13", "mlflow-skinny>=3.1", "sqlalchemy>=2", "wandb>=0.19"],
    },
    entry_points={"console_scripts": ["a2keras = a2keras.__main__:main"]},
)
