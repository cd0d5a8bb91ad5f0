"""Diego: a chatbot server on Starlette, uvicorn and ChatterBot."""
