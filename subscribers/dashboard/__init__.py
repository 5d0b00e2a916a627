"""The dashboard's process: the page's files, and the gateway that serves live logs over HTTP."""
