"""``python -m gramophone`` is the command ``gramophone``."""

from gramophone.cli import main

if __name__ == "__main__":
    main()
