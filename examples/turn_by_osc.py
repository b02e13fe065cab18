"""Turns a knob of a running Gramophone by OSC: slowly up and down again.

    gramophone live rain.wav --desk --osc 9000
    python examples/turn_by_osc.py 9000 strength 10

The words are: the port, the knob, and seconds. You see it move on the desk.
"""

import sys
import time

from pythonosc.udp_client import SimpleUDPClient

port, knob, seconds = int(sys.argv[1]), sys.argv[2], float(sys.argv[3])
gramophone = SimpleUDPClient("127.0.0.1", port)
steps = 50
for step in range(steps + 1):
    value = 1.0 - abs(2.0 * step / steps - 1.0)  # 0 to 1 and back
    gramophone.send_message(f"/gramophone/{knob}", value)
    time.sleep(seconds / steps)
