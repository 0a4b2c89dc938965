"""What pyproject.toml cannot say: data files belong to an editable install too.

setuptools means to place them, but asks the distribution for ``has_data``, a method nobody
has, and passes over them in silence (seen with 84.2). JupyterLab looks for its
extensions among the data files only.
"""

from setuptools import Distribution, setup

Distribution.has_data = Distribution.has_data_files

setup()
