"""``python -m gramophone`` is the command ``gramophone``."""

from gramophone.start import main

if __name__ == "__main__":
    main()
