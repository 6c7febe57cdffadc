from .assemble import Assembly


class Opened(Assembly):
    pass
