"""Pictures with matplotlib. Each function draws a ``Portrait`` or plain numbers on Axes and returns them."""
